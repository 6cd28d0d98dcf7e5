package reference

// chapter is a part of the guide. Its text is in templates/guide.html, or on a page of its own.
type chapter struct {
	ID, Title string
	Summary   string // the answer in one sentence, for the search
	Words     string // words of questions about it
	Page      string // name of the page if it is not the guide
}

// Link returns the path of the chapter.
func (c chapter) Link() string {
	if c.Page != "" {
		return Prefix + c.Page
	}
	return Prefix + "guide#" + c.ID
}

var chapters = []chapter{
	{"authentication", "Authentication", "Send Authorization: Bearer with a token; create tokens with your user name and password.", "login password basic bearer credential log in token create 401", ""},
	{"scopes", "Scopes and roles", "A request needs a token with the scope, and in a wallet also the role.", "permission right allow viewer proposer signer owner admin 403", "scopes"},
	{"values", "Requests and values", "JSON in UTF-8; whole satoshis (_sat), sat/vB (_sat_vb), RFC 3339 times in UTC.", "amount unit satoshi bitcoin fee rate time json format", ""},
	{"pagination", "Pagination", "Send next_cursor of a page as cursor, until it is null.", "page list cursor limit next all entries export", ""},
	{"etags", "ETag and If-Match", "If-None-Match saves unchanged responses; If-Match refuses a change of an object that has changed.", "cache conditional 304 412 version lost update concurrent optimistic lock", ""},
	{"idempotency", "Idempotency and retries", "Send an Idempotency-Key, and repeat the request with it: it is executed once.", "retry repeat twice duplicate key timeout again safe", ""},
	{"freshness", "Freshness", "as_of names the block of a response; min_height waits until the response has reached a block.", "as_of min_height stale old current block height consistent read your writes", ""},
	{"events-guide", "Events: resume without gaps", "Store the id of the last event, and continue with after or Last-Event-ID.", "resume reconnect continue stream sse last-event-id position after lost missed poll long 410 follow subscribe", ""},
	{"webhooks-guide", "Webhooks: verify and answer", "Verify the signature of the raw body, store the message id, and respond with 2xx within 15 seconds.", "callback signature hmac secret push notify retry receiver", ""},
	{"limits", "Rate limits and quotas", "429 and 503 have Retry-After; quotas limit the number of objects of a user.", "429 503 throttle retry-after too many concurrent quota limit slow", ""},
	{"errors", "Errors", "Check code of the problem document; the list has the meaning and a remedy of each.", "error code status problem failure message 400 404 409 500", "errors"},
	{"compatibility", "Versions and compatibility", "v1 only grows: ignore fields and event types that you do not know.", "version upgrade breaking change v1alpha specter desktop deprecated", ""},
}
