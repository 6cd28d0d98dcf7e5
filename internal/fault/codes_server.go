package fault

// nodeCodes are the codes of the Bitcoin node. Some of them appear only as problem_code in the
// status of the node.
var nodeCodes = []Code{
	{"block_not_found", NotFound, API, "The Bitcoin node does not have this block.", "Check the height, and whether the node has caught up."},
	{"blocks_pruned", Conflict, API, "The Bitcoin node is pruned and does not have the blocks that the rescan requires. details has lowest_height.", "Start the rescan at lowest_height or later, or use a node with all blocks."},
	{"node_address_mismatch", BadGateway, API, "The Bitcoin node derives other addresses from the descriptors than specterd. Nothing was stored.", "Report it with the log of the server. Do not use the addresses."},
	{"node_altered_payment", BadGateway, API, "The Bitcoin node created another transaction than the request describes. Nothing was stored.", "Check the log of the server, and who else has access to the node."},
	{"node_behind", Unavailable, API, "The last block of the Bitcoin node is more than four hours old.", "Check the connections of the node."},
	{"node_busy", Unavailable, API, "The Bitcoin node has more work than it accepts.", "Try again after a few seconds; an operator can raise rpcworkqueue in bitcoin.conf."},
	{"node_config_invalid", Invalid, Command, "The settings of the node connection are invalid.", "Correct the setting that the message names."},
	{"node_error", Refused, API, "The Bitcoin node refused a call for a reason that specterd does not know. The message names the RPC method.", "Look up the request id in the log of the server, which has the message of the node."},
	{"node_invalid_response", BadGateway, API, "The response of the Bitcoin node is invalid.", "Check the log of the server, and whether the settings name a Bitcoin node."},
	{"node_method_forbidden", Unavailable, API, "The Bitcoin node forbids an RPC method.", "Add it to rpcwhitelist in bitcoin.conf; the message names it."},
	{"node_method_unknown", Unavailable, API, "The Bitcoin node does not have an RPC method.", "Run Bitcoin Core or Knots 25 or later."},
	{"node_rejected_wallet", BadGateway, API, "The Bitcoin node refused to watch the wallet, so that it was not created.", "Look up the request id in the log of the server, which has the message of the node."},
	{"node_syncing", Unavailable, API, "The Bitcoin node is in its initial block download.", "Wait until it has caught up; GET /api/v1/node shows the progress."},
	{"node_unauthorized", Unavailable, API, "The Bitcoin node does not accept the RPC credentials of specterd.", "Correct the user and the password, or the cookie file, in the settings."},
	{"node_unavailable", Unavailable, API, "The Bitcoin node does not respond.", "Wait for the seconds in Retry-After. Operations that do not require the node still work."},
	{"node_wallet_disabled", Unavailable, API, "The Bitcoin node runs without wallets.", "Remove disablewallet=1 from bitcoin.conf, and restart the node."},
	{"node_wallet_exists", Conflict, API, "A wallet of this name exists at the Bitcoin node.", "Send the request again."},
	{"wallet_missing", Unavailable, API, "The Bitcoin node does not have the file of this wallet.", "Restore the file in the wallet directory of the node."},
	{"wallet_not_loaded", Unavailable, API, "The Bitcoin node has not loaded this wallet.", "Try again after a few seconds, or load the wallet in the node."},
	{"wrong_chain", Unavailable, API, "The Bitcoin node is on another chain than the database.", "Connect specterd to a node on the chain of the database."},
}

// serverCodes are the codes of the server and its database.
var serverCodes = []Code{
	{"api_inactive", NotFound, API, "The API is disabled.", "Set SPECTER_API_ACTIVE=true, and restart specterd."},
	{"change_unconfirmed", Unavailable, API, "The database did not confirm the change, which may have been made.", "Read the object before you repeat the request. A request with an Idempotency-Key can be repeated at once."},
	{"client_disconnected", Unavailable, API, "The client closed the connection before the response. Only a proxy between them sees this code.", "Send the request again."},
	{"clock_jumped", Unavailable, API, "The clock of the server jumped, which affects expiries. It appears in the readiness probe.", "Check the clock of the server (timedatectl)."},
	{"database_not_writable", Unavailable, API, "The database cannot be written to.", "Check the log of the server, and whether the disk is mounted read-only."},
	{"database_unavailable", Unavailable, API, "The database does not respond. Nothing was changed.", "Try again after a few seconds. If this continues, check the log of the server."},
	{"disk_full", Unavailable, API, "The disk with the database is full. Nothing was changed. Access can still be revoked.", "Free disk space. specterd then continues without a restart."},
	{"internal", Internal, API, "specterd has a defect. Its log has the reason under the request id.", "Report it with request_id and the log entry. Repeat a request that changes something only with its Idempotency-Key."},
	{"not_ready", Unavailable, API, "The readiness probe failed. The message names the database, the node or the clock.", "Correct the part that the message names."},
	{"probe_too_long", Internal, Unseen, "The changes of a wallet exceed the limit of one call of the node.", "None is required: specterd reads the changes in smaller parts."},
	{"server_busy", Unavailable, API, "Too many requests of all users are in progress.", "Wait for the seconds in Retry-After."},
}
