package event

import "time"

// The values of NodeState.State. Each has a kind of event: see KindOfNode.
const (
	// NodeIsUp: the node can be used and is up to date.
	NodeIsUp = "up"
	// NodeIsBehind: the node responds, but has not all blocks.
	NodeIsBehind = "behind"
	// NodeIsDown: the node does not respond, or cannot be used.
	NodeIsDown = "down"
)

// NodeState is a state of the node.
type NodeState struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
}

// KindOfNode returns the kind of the event for a new state of the node.
func KindOfNode(state string) Kind { return Kind("node." + state) }

// NodeData is the payload of NodeUp, NodeBehind and NodeDown. Before is nil for the first
// event.
type NodeData struct {
	Before *NodeState `json:"before"`
	After  NodeState  `json:"after"`
	// DownSeconds is how long the node was down, if it was.
	DownSeconds *int64 `json:"down_seconds,omitempty"`
	// ProblemCode and Problem are why the node is not up. They must be safe to show.
	ProblemCode string `json:"problem_code,omitempty"`
	Problem     string `json:"problem,omitempty"`
}

// Block identifies a block of the node's chain.
type Block struct {
	Height int64  `json:"height"`
	Hash   string `json:"hash"`
}

// ReorgData is the payload of NodeReorg.
type ReorgData struct {
	// ForkHeight is the height of the last block that is still in the chain, and Depth the
	// number of blocks after it that are not.
	ForkHeight int64 `json:"fork_height"`
	Depth      int64 `json:"depth"`
	// Before and After are the last blocks of the old and the new chain.
	Before Block `json:"before"`
	After  Block `json:"after"`
}

// Node is the last record of the node.
type Node struct {
	// State is the state in the last event, or the first one, which has no event if the
	// node is up; nil before.
	State *NodeState `json:"state,omitempty"`
	// Tip is the last block of the chain; nil before the first.
	Tip *Block `json:"tip,omitempty"`
}

// NodeEdit is a change of Node, with its events.
type NodeEdit struct {
	Node
	Events []NodeEvent
}

// NodeEvent is an event for all admins.
type NodeEvent struct {
	Kind Kind
	Data any // NodeData or ReorgData
}

// SetState changes the state, and adds its event. It does nothing if this state was
// recorded before, and adds no event if the first state is NodeIsUp.
func (e *NodeEdit) SetState(is NodeState, problemCode, problem string) {
	was := e.State
	if was != nil && was.State == is.State {
		return
	}
	e.State = &is
	if was == nil && is.State == NodeIsUp {
		return
	}
	d := NodeData{Before: was, After: is, ProblemCode: problemCode, Problem: problem}
	if was != nil && was.State == NodeIsDown {
		seconds := max(0, int64(is.Since.Sub(was.Since).Seconds()))
		d.DownSeconds = &seconds
	}
	e.Events = append(e.Events, NodeEvent{KindOfNode(is.State), d})
}

// Reorganize changes the tip, and adds the event of a reorganization from the tip before
// it. It adds none if the recorded tip is another one: then the event was recorded before.
func (e *NodeEdit) Reorganize(d ReorgData) {
	if e.Tip != nil && *e.Tip == d.Before {
		e.Events = append(e.Events, NodeEvent{NodeReorg, d})
	}
	e.Tip = &d.After
}
