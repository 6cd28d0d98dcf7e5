package main

import (
	"slices"
	"time"
)

// side is one of the servers that inTurns compares.
type side struct {
	*server // server whose CPU time is measured
	ask     func() error

	took  []time.Duration // duration of each turn
	spent time.Duration   // total CPU time
	asked int
}

// processor returns the server's CPU time per request.
func (s *side) processor() time.Duration { return s.spent / time.Duration(max(s.asked, 1)) }

// again sends one request and returns the time until the response was read.
func (s *side) again() (time.Duration, error) {
	start := clock()
	err := s.ask()
	s.asked++
	return clock().Sub(start), err
}

// inTurns runs all sides in forward and reverse order: 1 2 3, 3 2 1, and so on. The
// first round is a warm-up, which is not included in took.
func inTurns(sides []side, rounds int, turn func(*side) (time.Duration, error)) error {
	order := make([]*side, len(sides))
	for i := range sides {
		order[i] = &sides[i]
	}
	for round := range rounds + 1 {
		for _, s := range order {
			before := s.processorTime()
			one, err := turn(s)
			if err != nil {
				return err
			}
			s.spent += s.processorTime() - before
			if round > 0 {
				s.took = append(s.took, one)
			}
		}
		slices.Reverse(order)
	}
	return nil
}

// turn sends at least five requests, and continues for a tenth of a round's time. It
// returns the median duration.
func (o options) turn(s *side) (time.Duration, error) {
	const least = 5
	var took []time.Duration
	for end := clock().Add(o.roundTime / 10); len(took) < least || clock().Before(end); {
		one, err := s.again()
		if err != nil {
			return 0, err
		}
		took = append(took, one)
	}
	return middle(took), nil
}
