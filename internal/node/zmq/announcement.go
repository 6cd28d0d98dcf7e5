package zmq

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// The topics that are subscribed to (Core's doc/zmq.md).
const (
	topicTx       = "rawtx"
	topicBlock    = "hashblock"
	topicSequence = "sequence"
)

// announcement is a message of a node.
type announcement struct {
	topic  string
	number uint32 // counts up for each topic, from 0 at the node's start
	event  Event  // of no kind where it is of no interest
}

const (
	hashSize = 32
	minTx    = 60 // bytes of the smallest transaction
)

var errAnnouncement = errors.New("a message that no node sends")

// parse reads a message: its topic, what it says, and its number.
func parse(frames [][]byte) (announcement, error) {
	if len(frames) != 3 || len(frames[2]) != 4 {
		return announcement{}, errAnnouncement
	}
	a := announcement{topic: string(frames[0]), number: binary.LittleEndian.Uint32(frames[2])}
	body := frames[1]
	switch a.topic {
	case topicTx:
		if len(body) < minTx {
			return announcement{}, errAnnouncement
		}
		a.event = Event{Kind: Tx, Raw: body}
	case topicBlock:
		if len(body) != hashSize {
			return announcement{}, errAnnouncement
		}
		a.event = Event{Kind: Block, Hash: hex.EncodeToString(body)}
	case topicSequence:
		if len(body) <= hashSize {
			return announcement{}, errAnnouncement
		}
		if body[hashSize] == 'R' { // A: added; C, D: block connected, disconnected
			a.event = Event{Kind: MempoolRemoved, Hash: hex.EncodeToString(body[:hashSize])}
		}
	}
	return a, nil
}

// numbers is the last number of each topic.
type numbers map[string]uint32

// gap notes the number of a, and reports whether others should have come before.
func (n numbers) gap(a announcement) bool {
	last, known := n[a.topic]
	n[a.topic] = a.number
	return known && a.number != last+1
}
