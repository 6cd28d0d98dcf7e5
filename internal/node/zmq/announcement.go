package zmq

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// The subscribed topics (Core's doc/zmq.md).
const (
	topicTx       = "rawtx"
	topicBlock    = "hashblock"
	topicSequence = "sequence"
)

// announcement is a decoded ZMQ message of the node.
type announcement struct {
	topic  string
	number uint32 // sequence number per topic, from 0 at the node's start
	event  Event  // zero for messages that are not relevant
}

const (
	hashSize = 32
	minTx    = 60 // bytes of the smallest transaction
)

var errAnnouncement = errors.New("not a valid announcement")

// parse decodes a message: topic, content and sequence number.
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

// numbers is the last sequence number of each topic.
type numbers map[string]uint32

// gap stores the number of a, and reports whether messages before it are missing.
func (n numbers) gap(a announcement) bool {
	last, known := n[a.topic]
	n[a.topic] = a.number
	return known && a.number != last+1
}
