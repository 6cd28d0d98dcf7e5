package main

import (
	"slices"
	"time"
)

// side is one of the sides that alternate.
type side struct {
	*server // whose CPU time counts
	ask     func() error

	took  []time.Duration // in each turn
	spent time.Duration   // CPU time in total
	asked int
}

// processor is the server's CPU time per request.
func (s *side) processor() time.Duration { return s.spent / time.Duration(max(s.asked, 1)) }

// again sends one request.
func (s *side) again() (time.Duration, error) {
	start := clock()
	err := s.ask()
	s.asked++
	return clock().Sub(start), err
}

// inTurns alternates all sides in forward and reverse order: 1 2 3, 3 2 1. The
// first round is a warm-up and not included in took.
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

// turn sends requests for a tenth of a round's time and at least five times, and
// returns the median time.
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
