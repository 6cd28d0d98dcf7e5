package console

import (
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpcall"
)

// admit waits for a place of the user and a slot of the server, as heavy requests of the API
// do. Meanwhile the session may have ended, so it is read again.
func (c *call) admit() (err error) {
	kind, ok := c.to.kind()
	if !ok {
		return nil
	}
	c.work = httpcall.NewLimited(c.w, c.Gate, c.who.UserID, kind)
	c.w = c.work
	if err := c.work.Work(c.r.Context()); err != nil {
		return err
	}
	c.session, c.who, err = c.Sessions.Peek(c.r.Context(), c.secret, c.info.Address)
	if err != nil {
		return err
	}
	if c.to.audience == admins && !c.who.Admin {
		return errNoPage
	}
	c.r = c.r.WithContext(c.work.WithSlot(auth.WithPrincipal(c.r.Context(), c.who)))
	return nil
}

// reserve waits for room for the body of a user's request, of at most so many bytes.
func (c *call) reserve(most int64) (err error) {
	if size := httpcall.AnnouncedSize(c.r, most); size > 0 && c.who != nil {
		c.release, err = c.Gate.Buffer(c.r.Context(), c.who.UserID, min(size, most))
	}
	return err
}

// leave releases what admit and reserve have taken.
func (c *call) leave() {
	if c.work != nil {
		c.work.Leave()
	}
	if c.release != nil {
		c.release()
	}
}
