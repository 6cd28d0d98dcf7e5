package backend

import (
	"context"
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Publisher is a ZMQ publisher of the node.
type Publisher struct {
	// Topic is the type of the messages, such as rawtx or hashblock.
	Topic string
	// Address is the address that the node binds to, such as tcp://0.0.0.0:28332.
	Address string
}

// Publishers returns the node's ZMQ publishers (getzmqnotifications); none if the
// node was built without ZMQ or forbids the method.
func (n *Node) Publishers(ctx context.Context) ([]Publisher, error) {
	var wire []struct {
		Type    string `json:"type"`
		Address string `json:"address"`
	}
	err := n.read(ctx, &wire, "getzmqnotifications")
	if refused(err, rpcclient.CodeMethodNotFound, "") || errors.Is(err, rpcclient.ErrMethodForbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]Publisher, len(wire))
	for i, p := range wire {
		list[i] = Publisher{Topic: strings.TrimPrefix(p.Type, "pub"), Address: p.Address}
	}
	return list, nil
}
