package v1

// UserToken is a user's token as admins see it, without the user's wallet aliases.
type UserToken struct {
	TokenDetails
	WalletCount *int `json:"wallet_count" required:"true" description:"Number of wallets that the token is limited to; null without a limit."`
}
