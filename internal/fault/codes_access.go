package fault

// requestCodes are the codes of requests that are malformed, or that repeat another one.
var requestCodes = []Code{
	{"body_too_large", TooLarge, API, "The body is larger than the operation accepts, 1 MiB unless its description states another limit.", "Send less at once, for example labels in several requests."},
	{"idempotency_key_reused", Unprocessable, API, "The Idempotency-Key was sent within the last 24 hours with another request.", "Choose a new key for each request, and send the same key only to repeat the same request."},
	{"invalid_boolean", Invalid, Specter, "A value is neither true nor false.", "Send true, false, yes, no, 1 or 0."},
	{"invalid_form", Invalid, API, "A form cannot be read, or it lacks a field.", "Send the field that the operation describes, encoded as the Content-Type states."},
	{"invalid_input", Invalid, API, "One or more fields are missing or have an invalid value. errors lists each field with its problem.", "Correct every field that errors names."},
	{"invalid_json", Invalid, API, "The body is not one JSON object in UTF-8, has an unknown field, or has a value of the wrong type.", "Correct the JSON. The message names the position or the field; for an unknown field it lists the known ones."},
	{"invalid_number", Invalid, Specter, "A value is not a number.", "Send a number, or a string that contains one."},
	{"invalid_query", Invalid, API, "The query of the URL has an invalid percent-encoding.", "Encode the values of the query, for example a space as %20."},
	{"invalid_string", Invalid, Specter, "A value is not a string.", "Send a string."},
	{"method_not_allowed", MethodNotAllowed, API, "The path exists, but not with this method.", "Use one of the methods in the header Allow."},
	{"no_changes", Invalid, API, "The body of a PATCH request changes nothing.", "Send at least one of the fields that the message names."},
	{"path_not_found", NotFound, API, "No operation has this path.", "Check the path for typing errors. This reference lists all paths."},
	{"request_in_progress", Conflict, API, "The server still processes an earlier request with this Idempotency-Key.", "Send the same request again after a second; the response is then the response of the first one."},
	{"unknown_parameter", Invalid, API, "The query of the URL has a parameter that the operation does not accept.", "Remove it, or correct its name. The message lists the known parameters."},
	{"unsupported_media_type", UnsupportedMedia, API, "The Content-Type of the body is missing, or is not accepted.", "Send Content-Type: application/json, or a type that the operation describes."},
}

// accessCodes are the codes of requests that the caller may not make.
var accessCodes = []Code{
	{"access_changed", Forbidden, API, "Your role or the permissions of the token changed while the server processed the request. Nothing was changed.", "Send the request again."},
	{"cross_origin", Forbidden, API, "A web page of another origin sent the request.", "Send requests from pages of this server, or from a program."},
	{"expiry_exceeded", Forbidden, API, "A token would create or rotate a token that expires later than itself.", "Choose an earlier expiry, or use your user name and password."},
	{"host_not_allowed", Misdirected, API, "The server does not serve the host name of the request.", "Use 127.0.0.1 or localhost, or name the host in SPECTER_ALLOWED_HOSTS."},
	{"insufficient_role", Forbidden, API, "Your role in the wallet, or on the server, does not permit the operation. required_role is the role that it requires.", "Ask an owner of the wallet for the role, or an admin to make the request."},
	{"insufficient_scope", Forbidden, API, "The token lacks a scope. required_scope is the scope that the operation requires.", "Create a token with this scope. The scopes of a token do not change."},
	{"login_queue_full", TooMany, API, "Too many passwords wait to be compared.", "Wait for the seconds in Retry-After, or use a token, which is not delayed."},
	{"not_an_approver", Forbidden, API, "No spending policy of this payment counts your approval.", "Ask a member whom the policy names as an approver."},
	{"not_own_token", Forbidden, API, "A token can delete and rotate only itself and the tokens that were created with it.", "Use your user name and password for other tokens."},
	{"page_not_found", NotFound, Console, "The console has no such page, or the object belongs to another user.", "Check the address, or begin on the home page."},
	{"password_required", Forbidden, API, "The operation requires your user name and password. A token is refused, also with all scopes.", "Authenticate with HTTP Basic."},
	{"proof_required", Forbidden, Console, "The action requires that you entered your password a few minutes ago.", "Enter the password in the dialog."},
	{"scope_exceeded", Forbidden, API, "The request would grant more than the caller has: a scope, a role that makes scopes usable, or a scope that is reserved for admins.", "Request fewer scopes, or use your user name and password."},
	{"session_not_found", NotFound, Console, "None of your sessions has this id; it may have ended.", "Open the list of sessions again."},
	{"signing_key_missing", Unavailable, API, "The server does not have the key that signed this token.", "An operator restores the key; the log names it. Create a new token in the meantime."},
	{"token_limited_to_wallets", Forbidden, API, "The token is limited to some wallets, and the operation concerns others or all of them.", "Use a token without this limit, or your user name and password."},
	{"too_many_failed_logins", TooMany, API, "Too many passwords of this user from this address were wrong.", "Wait for the seconds in Retry-After, or use a token, which is not limited."},
	{"too_many_requests", TooMany, API, "Too many of your requests are in progress.", "Send requests one after the other, or wait for the seconds in Retry-After."},
	{"unauthenticated", Unauthenticated, API, "The credential is missing or invalid, or the token has expired or was revoked.", "Send Authorization: Bearer with a valid token, or, where permitted, Basic with your user name and password."},
	{"wrong_password", Invalid, Console, "The password is wrong.", "Enter the password again."},
	{"wrong_setup_code", Invalid, Console, "The setup code is wrong. Each start of the server creates another one.", "Copy the code from the log of the server."},
}

// userCodes are the codes of users, tokens and quotas.
var userCodes = []Code{
	{"already_imported", Conflict, Command, "Another process has imported the object in the meantime.", "Run the import again."},
	{"deleted_since_import", Conflict, Command, "The object was imported before, and has been deleted since.", "Create it again if it is required."},
	{"description_exists", Conflict, API, "Another of your tokens, or of your webhooks, has this description. Expired tokens count until they are deleted.", "Choose another description, or delete the other object."},
	{"form_in_progress", Unavailable, Console, "The same form is being processed.", "Look at the result in a minute before you send it again."},
	{"form_sent_before", Conflict, Console, "The form was sent before with other values.", "Check the list of proposals before you send it again."},
	{"invalid_description", Invalid, Specter, "The description of a token is blank, or another token has it.", "Choose another description."},
	{"invalid_password_hash", Invalid, Command, "The import found a password in a format that Specter Desktop does not use.", "Set a new password for the user."},
	{"invalid_token", Invalid, Command, "The import found a token that Specter Desktop does not accept.", "Create a new token."},
	{"last_admin", Conflict, API, "The change would leave the server without an active admin.", "Make another user an admin first."},
	{"password_set", Conflict, Console, "The password of the first admin has been set already.", "Sign in with it, or reset it with specterd user set NAME --password."},
	{"quota_exceeded", Conflict, API, "The request would exceed a quota. details has its name and its limit.", "Delete objects that you do not use any more, or ask an admin for a higher limit."},
	{"token_changed", Conflict, API, "The token was changed in the meantime, for example rotated.", "Read the token again."},
	{"token_expired", Conflict, API, "The token has expired, so that its successor would have expired as well.", "Create a new token."},
	{"token_not_found", NotFound, API, "None of your tokens has this id.", "List your tokens. A token sees only itself and tokens that were created with it."},
	{"token_too_long", Invalid, Command, "The import found a token that is longer than specterd accepts.", "Create a new token."},
	{"user_disabled", Conflict, API, "The user is disabled.", "An admin enables the user with PATCH /api/v1/users/{name}."},
	{"user_exists", Conflict, API, "A user of this name exists. Upper and lower case make no difference.", "Choose another name."},
	{"user_not_found", NotFound, API, "No user has this name.", "Check the name for typing errors."},
}
