package v1alpha

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

type specterResponse struct {
	DataFolder              string            `json:"data_folder"`
	Config                  config            `json:"config"`
	Info                    jsontext.Value    `json:"info" description:"Result of getblockchaininfo, with mempool_info, uptime, blockfilterindex and utxorescan; while the node is unreachable, with problem and last_contact."`
	NetworkInfo             jsontext.Value    `json:"network_info" description:"Result of getnetworkinfo."`
	DeviceManagerDataFolder string            `json:"device_manager_datafolder"`
	DevicesNames            []string          `json:"devices_names"`
	WalletsNames            []string          `json:"wallets_names"`
	LastUpdate              string            `json:"last_update"`
	AliasName               map[string]string `json:"alias_name"`
	NameAlias               map[string]string `json:"name_alias"`
	WalletsAlias            []string          `json:"wallets_alias"`
}

// GetSpecter serves GET /api/v1alpha/specter.
func (a *API) GetSpecter(ctx context.Context, _ struct{}) (specterResponse, error) {
	status := a.o.Node.Status()
	info, err := nodeInfo(status)
	if err != nil {
		return specterResponse{}, err
	}
	out := specterResponse{
		DataFolder:              a.o.DataFolder,
		Config:                  configOf(a.o.UID),
		Info:                    info,
		NetworkInfo:             jsontext.Value(status.RawNetworkInfo),
		DeviceManagerDataFolder: filepath.Join(a.o.DataFolder, "devices"),
		DevicesNames:            []string{},
		WalletsNames:            []string{},
		WalletsAlias:            []string{},
		LastUpdate:              a.o.Now().Local().Format("01/02/2006, 15:04:05"),
		AliasName:               map[string]string{},
		NameAlias:               map[string]string{},
	}
	if len(out.NetworkInfo) == 0 { // the node was never reached; Specter Desktop returns this value in that case
		out.NetworkInfo = jsontext.Value(`{"subversion":"","version":999999}`)
	}
	err = a.addWallets(ctx, auth.PrincipalFrom(ctx), &out)
	return out, err
}

// addWallets adds the names of the caller's wallets and devices. It adds none if the token
// lacks the scope wallets:read.
func (a *API) addWallets(ctx context.Context, who *auth.Principal, out *specterResponse) error {
	if !who.Scopes.Has(auth.WalletsRead) {
		return nil
	}
	wallets, err := a.o.Wallets.Memberships(ctx, who)
	if err != nil {
		return err
	}
	devices, err := a.o.Wallets.Devices(ctx, who)
	if err != nil {
		return err
	}
	for _, d := range devices {
		out.DevicesNames = append(out.DevicesNames, d.Name)
	}
	slices.SortFunc(wallets, func(a, b auth.Membership) int { return cmp.Compare(a.Name, b.Name) })
	for _, w := range wallets {
		out.WalletsNames = append(out.WalletsNames, w.Name)
		out.WalletsAlias = append(out.WalletsAlias, w.Alias)
		out.AliasName[w.Alias] = w.Name
		out.NameAlias[w.Name] = w.Alias
	}
	return nil
}

// nodeInfo returns the last result of getblockchaininfo with the members that Specter
// Desktop adds. If the node has a problem, the members problem and last_contact describe it.
func nodeInfo(s nodestatus.Status) (jsontext.Value, error) {
	info := jsontext.Value(s.RawBlockchainInfo)
	if len(info) == 0 {
		info = jsontext.Value(`{"chain":null}`)
	} else {
		beside, err := json.Marshal(struct {
			MempoolInfo      jsontext.Value  `json:"mempool_info"`
			Uptime           int64           `json:"uptime"`
			BlockFilterIndex bool            `json:"blockfilterindex"`
			UTXORescan       *jsontext.Value `json:"utxorescan"`
		}{jsontext.Value(s.RawMempoolInfo), int64(s.Uptime.Seconds()), s.BlockFilterIndex, nil})
		if err != nil {
			return nil, fmt.Errorf("encode the fields other than getblockchaininfo: %w", err)
		}
		info = joinObjects(info, beside)
	}
	if s.Problem == nil {
		return info, nil
	}
	problem, err := json.Marshal(struct {
		Problem     string  `json:"problem"`
		LastContact *string `json:"last_contact"`
	}{s.Problem.Message, lastContact(s)})
	if err != nil {
		return nil, fmt.Errorf("encode the node's problem: %w", err)
	}
	return joinObjects(info, problem), nil
}

func lastContact(s nodestatus.Status) *string {
	if s.LastContact.IsZero() {
		return nil
	}
	text := s.LastContact.UTC().Format("2006-01-02T15:04:05Z")
	return &text
}

// joinObjects returns a JSON object with the members of a and b, which must not be empty
// and must not have names in common.
func joinObjects(a, b jsontext.Value) jsontext.Value {
	head := bytes.TrimSuffix(bytes.TrimSpace(a), []byte("}"))
	return slices.Concat(head, []byte(","), bytes.TrimPrefix(b, []byte("{")))
}

// config is the config.json of Specter Desktop, without secrets. Settings that exist in
// specterd have their actual values, all others the defaults of Specter Desktop.
type config struct {
	Auth                  configAuth                   `json:"auth"`
	Explorers             map[string]string            `json:"explorers"`
	ExplorerID            map[string]string            `json:"explorer_id"`
	AssetLabels           map[string]map[string]string `json:"asset_labels"`
	ActiveNodeAlias       string                       `json:"active_node_alias"`
	ProxyURL              string                       `json:"proxy_url"`
	OnlyTor               bool                         `json:"only_tor"`
	TorControlPort        string                       `json:"tor_control_port"`
	TorStatus             bool                         `json:"tor_status"`
	HWIBridgeURL          string                       `json:"hwi_bridge_url"`
	UID                   string                       `json:"uid"`
	Unit                  string                       `json:"unit"`
	PriceCheck            bool                         `json:"price_check"`
	AltRate               int                          `json:"alt_rate"`
	AltSymbol             string                       `json:"alt_symbol"`
	PriceProvider         string                       `json:"price_provider"`
	WeightUnit            string                       `json:"weight_unit"`
	ValidateMerkleProofs  bool                         `json:"validate_merkle_proofs"`
	FeeEstimator          string                       `json:"fee_estimator"`
	FeeEstimatorCustomURL string                       `json:"fee_estimator_custom_url"`
	HideSensitiveInfo     bool                         `json:"hide_sensitive_info"`
	AutohideMinutes       *int                         `json:"autohide_sensitive_info_timeout_minutes"`
	AutologoutHours       int                          `json:"autologout_timeout_hours"`
	Testing               map[string]bool              `json:"testing"`
	Bitcoind              bool                         `json:"bitcoind"`
}

type configAuth struct {
	Method                  string `json:"method"`
	PasswordMinChars        int    `json:"password_min_chars"`
	RateLimit               int    `json:"rate_limit"`
	RegistrationLinkTimeout int    `json:"registration_link_timeout"`
}

func configOf(uid string) config {
	return config{
		Auth:         configAuth{Method: "usernamepassword", PasswordMinChars: auth.MinPasswordLength, RateLimit: 10, RegistrationLinkTimeout: 1},
		Explorers:    map[string]string{"main": "", "test": "", "regtest": "", "signet": ""},
		ExplorerID:   map[string]string{"main": "CUSTOM", "test": "CUSTOM", "regtest": "CUSTOM", "signet": "CUSTOM"},
		AssetLabels:  map[string]map[string]string{"liquidv1": {}},
		ProxyURL:     "socks5h://localhost:9050",
		HWIBridgeURL: "/hwi/api/",

		ActiveNodeAlias: "bitcoin_core",
		UID:             uid,
		Unit:            "btc",
		AltRate:         1,
		AltSymbol:       "BTC",
		WeightUnit:      "oz",
		FeeEstimator:    "bitcoin_core",
		AutologoutHours: 4,
		Testing:         map[string]bool{"allow_threading_for_testing": false},
	}
}
