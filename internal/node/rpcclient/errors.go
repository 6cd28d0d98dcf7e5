package rpcclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
)

// The codes of [RPCError] that callers distinguish, from Core's src/rpc/protocol.h.
// The wallet RPCs use several of them for different errors; the comments give the
// most frequent meaning.
const (
	CodeMisc           = -1     // any error without a specific code, such as an aborted rescan
	CodeWalletError    = -4     // unspecified wallet error, such as a name that is taken
	CodeInvalidAddress = -5     // an invalid address or key, or an object that was not found
	CodeInsufficient   = -6     // not enough funds
	CodeInvalidValue   = -8     // an invalid, missing or duplicate parameter
	CodeWalletNotFound = -18    // no wallet of this name is loaded
	CodeVerifyError    = -25    // a transaction or block failed verification, such as missing inputs
	CodeVerifyRejected = -26    // a transaction or block was rejected by the rules
	CodeAlreadyInChain = -27    // the transaction is already in the chain
	CodeWarmup         = -28    // the node is starting up; converted to ErrUnavailable
	CodeAlreadyLoaded  = -35    // the wallet is already loaded
	CodeAlreadyExists  = -36    // a wallet of that name exists
	CodeMethodNotFound = -32601 // the method does not exist or is disabled
)

// Messages of ErrUnavailable, by cause.
const (
	warmupMessage       = "the Bitcoin node is starting up; try again shortly"
	noConnectionMessage = "the Bitcoin node cannot be reached; start it, or correct its host and port in the settings"
	brokenMessage       = "the Bitcoin node closed the connection without a response; it may be stopping, try again shortly"
	timeoutMessage      = "the Bitcoin node did not respond in time; it may be busy, try again shortly"
	noCookieMessage     = "the Bitcoin node's cookie file does not exist, so the node is probably not running; start it, or correct the cookie file in the settings"
)

const (
	maxRPCMessage = 2 << 10
	retryAfter    = 5 * time.Second
)

// The faults of this package, for errors.Is.
var (
	// ErrUnavailable: the node does not respond, and waiting may help: it is not running,
	// starting up, overloaded or too slow. Unless the error wraps ErrNotNow, it is
	// unknown whether the call was executed.
	ErrUnavailable = fault.New(fault.Unavailable, "node_unavailable", "the Bitcoin node does not respond at the moment").WithRetryAfter(retryAfter)
	// ErrUnauthorized: the node accepts neither the user nor the cookie.
	ErrUnauthorized = fault.New(fault.Unavailable, "node_unauthorized",
		"the Bitcoin node rejects the RPC credentials; correct the user and password, or the cookie file, in the settings").WithRetryAfter(retryAfter)
	// ErrMethodForbidden: the node rejects a call with HTTP 403, as Core does for
	// methods missing in rpcwhitelist and addresses missing in rpcallowip. The
	// message names the methods of the request.
	ErrMethodForbidden = fault.New(fault.Unavailable, "node_method_forbidden",
		"the Bitcoin node forbids an RPC method; check rpcwhitelist and rpcallowip in its bitcoin.conf").WithRetryAfter(retryAfter)
	// ErrMethodUnknown: the node does not have the method, or has disabled it.
	ErrMethodUnknown = fault.New(fault.Unavailable, "node_method_unknown",
		"the Bitcoin node does not know an RPC method; run Bitcoin Core or Knots 25 or later").WithRetryAfter(retryAfter)
	// ErrBusy: the node's queue of calls is full. An ErrBusy also matches ErrUnavailable
	// and ErrNotNow.
	ErrBusy = fault.New(fault.Unavailable, "node_busy",
		"the Bitcoin node has more work queued than it accepts; try again shortly, or raise rpcworkqueue in its bitcoin.conf").
		WithRetryAfter(retryAfter)
	// ErrInvalidResponse: the response does not answer the request. It is unknown whether
	// the call was executed.
	ErrInvalidResponse = fault.New(fault.BadGateway, "node_invalid_response", "invalid response from the Bitcoin node; check specterd's log, and whether the host and port in the settings are the node's")
)

// Errors that the faults of this package wrap, for callers that distinguish them with
// errors.Is.
var (
	// ErrNotNow is wrapped by an ErrUnavailable or ErrBusy if the node rejected the call
	// without processing it, because it is starting up or its queue is full: nothing was
	// executed.
	ErrNotNow error = protocolError("temporarily refused")
	// ErrTooLong is wrapped by an ErrInvalidResponse if the response exceeded the limit.
	ErrTooLong error = protocolError("longer than the limit")
)

// errRefused is the fault for an [RPCError] that no package translates.
var errRefused = fault.New(fault.Refused, "node_error", "the Bitcoin node refused a call; specterd's log has its text")

// RPCError is the node's error for one call. Its meaning depends on the method. Message
// is the node's text, of at most 2 KiB, which may contain data that users must not see.
// For an RPCError that no package translates, errors.As finds a fault that is safe to
// show: node_error, or ErrMethodUnknown.
type RPCError struct {
	Code    int
	Message string
	Method  string

	sent string // the strings that Text omits, separated by NUL
}

func (e *RPCError) Error() string {
	return fmt.Sprintf("the Bitcoin node refused %s with code %d: %s", e.Method, e.Code, e.Text())
}

// As sets target, a **fault.Error, to the fault that callers see for e. Its message
// names the method and omits the node's text.
func (e *RPCError) As(target any) bool {
	f, ok := target.(**fault.Error)
	switch {
	case !ok:
		return false
	case e.Code == CodeMethodNotFound:
		*f = ErrMethodUnknown.WithMessage("the Bitcoin node does not know the RPC method %s; run Bitcoin Core or Knots 25 or later", e.Method).WithCause(e)
	default:
		*f = errRefused.WithMessage("the Bitcoin node refused the call %s; specterd's log has its text", e.Method).WithCause(e)
	}
	return true
}

// unavailable returns an ErrUnavailable with a specific message.
func unavailable(message string, cause error) *fault.Error {
	f := *ErrUnavailable
	f.Message = message
	return f.WithCause(cause)
}

// forbidden returns an ErrMethodForbidden with the methods of the request in its
// message.
func forbidden(methods []string, cause error) *fault.Error {
	names := strings.Join(slices.Compact(slices.Sorted(slices.Values(methods))), ", ")
	return ErrMethodForbidden.WithMessage("the Bitcoin node forbids the RPC user a call (HTTP 403): "+
		"add %s to rpcwhitelist, or specterd's address to rpcallowip, in its bitcoin.conf", names).WithCause(cause)
}

// invalidResponse returns an ErrInvalidResponse with a cause that repeats nothing of the
// response.
func invalidResponse(cause error) *fault.Error { return ErrInvalidResponse.WithCause(describe(cause)) }

// protocolError describes a problem with a response without quoting it.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// describe returns an error that describes a problem with a response without
// quoting it, unlike the errors of encoding/json and of callers' types.
func describe(err error) error {
	var typed *json.UnmarshalTypeError
	var semantic *jsonv2.SemanticError
	var syntax *jsontext.SyntacticError
	var own protocolError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &typed):
		return protocolError(fmt.Sprintf("JSON of a type other than %s (at %q)", typed.Type, typed.Field))
	case errors.As(err, &semantic):
		return protocolError(fmt.Sprintf("JSON of a type other than %s, at byte %d", semantic.GoType, semantic.ByteOffset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return protocolError("JSON ends unexpectedly")
	case errors.As(err, &syntax):
		return protocolError(fmt.Sprintf("malformed JSON at byte %d", syntax.ByteOffset))
	default:
		return protocolError(fmt.Sprintf("undecodable: %T", err))
	}
}

// connectionFault turns an error of the transport into a fault. Answered reports
// whether the node had begun to respond. In that case, an error other than a broken
// connection means that the peer does not speak HTTP; the transport's error is
// dropped, because it quotes the response.
func connectionFault(err error, answered bool) *fault.Error {
	var op *net.OpError
	var network net.Error
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return unavailable(noConnectionMessage, err)
	case errors.As(err, &network) && network.Timeout():
		return unavailable(timeoutMessage, err)
	case op != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unavailable(brokenMessage, err)
	case answered:
		return invalidResponse(protocolError("not HTTP"))
	default:
		return unavailable(noConnectionMessage, err)
	}
}

// rpcError returns the error for one failed call.
func (w *wireError) rpcError(method string) error {
	text := w.Message
	if len(text) > maxRPCMessage {
		text = text[:maxRPCMessage]
	}
	e := &RPCError{Code: w.Code, Message: strings.ToValidUTF8(text, ""), Method: method}
	if e.Code == CodeWarmup {
		return unavailable(warmupMessage, fmt.Errorf("%w: %w", ErrNotNow, e))
	}
	return e
}
