package v1

// Device is a signing device.
type Device struct {
	Alias string `json:"alias" required:"true" example:"anns_coldcard" description:"Name of the device in paths, unique among your devices; keys of wallets name their device by it."`
	Name  string `json:"name" required:"true" example:"Ann's Coldcard" description:"Name of the device for people."`
	Type  string `json:"type" required:"true" example:"other" description:"Type of the device as in Specter Desktop, such as coldcard; other if only keys are known."`
}

// ChangeDeviceRequest renames a device.
type ChangeDeviceRequest struct {
	Name string `json:"name" required:"true" example:"Coldcard of Ann" description:"New name, 1 to 64 characters. The alias changes with it: the name in lower case, with _ for spaces, and with a number if another of your devices has it."`
}
