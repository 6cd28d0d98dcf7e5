package backend

import (
	"context"
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Publisher is something that the node announces over ZMQ.
type Publisher struct {
	// Topic is such as rawtx or hashblock.
	Topic string
	// Address is the one that the node binds to, such as tcp://0.0.0.0:28332.
	Address string
}

// Publishers returns what the node announces over ZMQ (getzmqnotifications);
// nothing where it was built without or forbids the question.
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
