package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
)

// settingNode is the last record of the node, in JSON. A restore deletes it, since the node
// has changed since the backup.
const settingNode = "node"

// EditNode calls edit with the last record of the node, stores the result, and adds its
// events for each active admin, in one transaction. It may call edit more than once.
func (s *Store) EditNode(ctx context.Context, edit func(*event.NodeEdit)) error {
	return s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		var e event.NodeEdit
		was, err := q.Setting(ctx, settingNode)
		if err == nil {
			err = json.Unmarshal([]byte(was), &e.Node)
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look up the record of the node: %w", err)
		}
		edit(&e)
		is, err := json.Marshal(e.Node)
		if err != nil {
			return fmt.Errorf("encode the record of the node: %w", err)
		}
		if string(is) != was {
			if err := q.PutSetting(ctx, db.PutSettingParams{Name: settingNode, Value: string(is)}); err != nil {
				return fmt.Errorf("store the record of the node: %w", err)
			}
		}
		return log.addNodeEvents(ctx, q, e.Events)
	})
}

// addNodeEvents adds events of the node for each active admin.
func (l *eventLog) addNodeEvents(ctx context.Context, q *db.Queries, events []event.NodeEvent) error {
	if len(events) == 0 {
		return nil
	}
	admins, err := q.ActiveAdmins(ctx)
	if err != nil {
		return fmt.Errorf("list the admins: %w", err)
	}
	for _, e := range events {
		for _, id := range admins {
			l.addForUser(id, e.Kind, "node", event.Actor{}, e.Data)
		}
	}
	return nil
}
