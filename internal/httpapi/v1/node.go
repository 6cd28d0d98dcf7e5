package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

// GetNode serves GET /api/v1/node.
func (a *API) GetNode(context.Context, struct{}) (api.NodeResponse, error) {
	return nodeOf(a.o.Node.Status()), nil
}

func nodeOf(s nodestatus.Status) api.NodeResponse {
	out := api.NodeResponse{
		Reachable: s.Reachable, LastContact: optionalTime(s.LastContact),
		Chain: s.Chain, Blocks: s.Blocks, Headers: s.Headers, BestBlockHash: s.BestBlockHash,
		MedianTime: optionalTime(s.MedianTime), InitialBlockDownload: s.InitialBlockDownload,
		Pruned: s.Pruned, BlockFilterIndex: s.BlockFilterIndex,
		Version: s.Version, Subversion: s.Subversion, Connections: s.Connections, MempoolSize: s.MempoolSize,
		Warnings: append([]string{}, s.Warnings...), Notices: []api.NodeNotice{},
	}
	if s.Problem != nil {
		out.Problem, out.ProblemCode = &s.Problem.Message, &s.Problem.Code
	}
	for _, n := range s.Notices() {
		out.Notices = append(out.Notices, api.NodeNotice(n))
	}
	return out
}
