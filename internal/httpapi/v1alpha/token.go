package v1alpha

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// seconds is a duration that is encoded in JSON as a number of seconds.
type seconds time.Duration

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (seconds) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"number"}`), nil }

// MarshalJSONTo implements json.MarshalerTo. It encodes whole seconds without a fraction,
// as Specter Desktop does.
func (s seconds) MarshalJSONTo(enc *jsontext.Encoder) error {
	micros := time.Duration(s).Microseconds()
	text := strconv.FormatInt(micros/1e6, 10)
	if rest := micros % 1e6; rest != 0 {
		text = strconv.FormatFloat(float64(micros)/1e6, 'f', -1, 64)
	}
	return enc.WriteValue(jsontext.Value(text))
}

type tokenSummary struct {
	Description   string   `json:"jwt_token_description"`
	Life          seconds  `json:"jwt_token_life"`
	RemainingLife seconds  `json:"jwt_token_remaining_life"`
	Endpoints     []string `json:"endpoints,omitempty"`
}

// tokensByID is encoded as a JSON object of tokens by id, in the order in which they were
// added.
type tokensByID struct {
	summaries // embedded, so that the OpenAPI specification describes a map
	ids       []string
}

type summaries map[string]tokenSummary

func (t *tokensByID) add(id string, summary tokenSummary) {
	if t.summaries == nil {
		t.summaries = summaries{}
	}
	t.ids = append(t.ids, id)
	t.summaries[id] = summary
}

// MarshalJSONTo implements json.MarshalerTo. It keeps the order of the tokens, which the
// encoding of a map would not.
func (t tokensByID) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, id := range t.ids {
		if err := enc.WriteToken(jsontext.String(id)); err != nil {
			return err
		}
		if err := json.MarshalEncode(enc, t.summaries[id]); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// endpoints returns the names of the scopes, or nil for SpecterScopes, the default of
// v1alpha, so that responses for such tokens have no field that Specter Desktop lacks.
func endpoints(s auth.Scopes) []string {
	if s == auth.SpecterScopes {
		return nil
	}
	return s.Names()
}

type tokensResponse struct {
	Message string     `json:"message"`
	Tokens  tokensByID `json:"jwt_tokens"`
}

var errNoTokens = fault.New(fault.NotFound, "token_not_found", "Tokens does not exist")

const tokensAtOnce = 1000

// ListTokens serves GET /api/v1alpha/token/.
func (a *API) ListTokens(ctx context.Context, _ struct{}) (tokensResponse, error) {
	who := auth.PrincipalFrom(ctx)
	out := tokensResponse{Message: "Tokens exist"}
	for after := (auth.TokenCursor{}); ; {
		page, err := a.o.Tokens.List(ctx, who, after, tokensAtOnce)
		if err != nil {
			return out, err
		}
		for _, t := range page {
			out.Tokens.add(t.ID, tokenSummary{
				Description: t.Description, Life: seconds(t.Lifetime),
				RemainingLife: seconds(a.o.Tokens.RemainingLife(&t)), Endpoints: endpoints(t.Scopes),
			})
			after = auth.TokenCursor{CreatedAt: t.CreatedAt, ID: t.ID}
		}
		if len(page) < tokensAtOnce {
			break
		}
	}
	if len(out.Tokens.ids) == 0 {
		return out, errNoTokens
	}
	return out, nil
}

type createTokenRequest struct {
	Description jsontext.Value `json:"jwt_token_description" required:"true" example:"\"backup script\"" description:"What the token is for, a string; unique among your tokens."`
	Life        *argument      `json:"jwt_token_life" required:"true" nullable:"false" example:"30 days" description:"Lifetime of the token, such as \"30 days\", \"6 months\" or \"1h30m\"."`
	Endpoints   []string       `json:"endpoints" description:"Scopes that the token is limited to."`
}

type tokenCreated struct {
	Message     string   `json:"message"`
	ID          string   `json:"jwt_token_id"`
	Token       string   `json:"jwt_token"`
	Description string   `json:"jwt_token_description"`
	Life        seconds  `json:"jwt_token_life"`
	Endpoints   []string `json:"endpoints,omitempty"`
}

var errDescription = fault.New(fault.Invalid, "invalid_description", "Token description already exists or is blank")

// CreateToken serves POST /api/v1alpha/token/.
func (a *API) CreateToken(ctx context.Context, in createTokenRequest) (tokenCreated, error) {
	params, err := in.params()
	if err != nil {
		return tokenCreated{}, err
	}
	t, secret, err := a.o.Tokens.Create(ctx, auth.PrincipalFrom(ctx), params)
	if errors.Is(err, auth.ErrDescriptionTaken) {
		return tokenCreated{}, errDescription.WithCause(err)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && len(f.Fields) == 1 {
		switch f.Fields[0].Name {
		case "description":
			return tokenCreated{}, f.ForField("jwt_token_description")
		case "lifetime":
			return tokenCreated{}, f.ForField("jwt_token_life")
		}
	}
	if err != nil {
		return tokenCreated{}, err
	}
	return tokenCreated{
		Message: "Token generated", ID: t.ID, Token: secret, Description: t.Description,
		Life: seconds(t.Lifetime), Endpoints: endpoints(t.Scopes),
	}, nil
}

func (in createTokenRequest) params() (auth.CreateTokenParams, error) {
	params := auth.CreateTokenParams{AnyLifetime: true}
	if in.Life == nil {
		return params, fault.InvalidField("jwt_token_life", "is missing")
	}
	var err error
	if params.Lifetime, err = auth.ParseLifetime(string(*in.Life)); err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok {
			err = f.ForField("jwt_token_life")
		}
		return params, err
	}
	if params.Description, err = descriptionText(in.Description); err != nil {
		return params, err
	}
	if in.Endpoints == nil {
		params.Scopes = auth.SpecterScopes
		return params, nil
	}
	if params.Scopes, err = auth.ParseScopes("endpoints", in.Endpoints); err != nil {
		return params, err
	}
	if !auth.SpecterScopes.Has(params.Scopes) {
		return params, fault.InvalidField("endpoints", "tokens of this API version can only have %s; create others with POST /api/v1/tokens", auth.SpecterScopes)
	}
	return params, nil
}

// descriptionText decodes a description. A missing, null or empty description is an error.
func descriptionText(value jsontext.Value) (string, error) {
	switch value.Kind() {
	case 0:
		return "", fault.InvalidField("jwt_token_description", "is missing")
	case 'n':
		return "", errDescription
	}
	var text argument
	if err := text.UnmarshalJSON(value); err != nil {
		return "", fault.InvalidField("jwt_token_description", "%s", errArgument.Message).WithCause(err)
	}
	if text == "" {
		return "", errDescription
	}
	return string(text), nil
}

type tokenRequest struct {
	ID string `path:"id" json:"-" description:"The token's id."`
}

type tokenResponse struct {
	Message       string   `json:"message"`
	Description   string   `json:"jwt_token_description"`
	Life          seconds  `json:"jwt_token_life"`
	LifeRemaining seconds  `json:"jwt_token_life_remaining"`
	ExpiryStatus  string   `json:"expiry_status" enum:"Valid,Expired"`
	Endpoints     []string `json:"endpoints,omitempty"`
}

var errNoToken = fault.New(fault.NotFound, "token_not_found", "Token does not exist, make sure to enter correct token id")

// GetToken serves GET /api/v1alpha/token/{id}/.
func (a *API) GetToken(ctx context.Context, in tokenRequest) (tokenResponse, error) {
	t, err := a.o.Tokens.Get(ctx, auth.PrincipalFrom(ctx), in.ID)
	if errors.Is(err, auth.ErrTokenNotFound) {
		return tokenResponse{}, errNoToken
	}
	if err != nil {
		return tokenResponse{}, err
	}
	remaining, status := a.o.Tokens.RemainingLife(&t), "Valid"
	if remaining == 0 {
		status = "Expired"
	}
	return tokenResponse{
		Message: "Token exists", Description: t.Description, Life: seconds(t.Lifetime),
		LifeRemaining: seconds(remaining), ExpiryStatus: status, Endpoints: endpoints(t.Scopes),
	}, nil
}

// DeleteToken serves DELETE /api/v1alpha/token/{id}/.
func (a *API) DeleteToken(ctx context.Context, in tokenRequest) (messageResponse, error) {
	_, err := a.o.Tokens.Delete(ctx, auth.PrincipalFrom(ctx), in.ID, false)
	if errors.Is(err, auth.ErrTokenNotFound) {
		return messageResponse{}, errNoToken
	}
	return messageResponse{Message: "Token deleted"}, err
}
