package v1_test

import (
	"encoding/json"
	"fmt"

	"github.com/specterd/specterd/api/v1"
)

func ExampleSet() {
	limited, _ := json.Marshal(v1.ChangeWalletRequest{MaxFeeRate: v1.Set(v1.FeeRate(12.5))})
	unlimited, _ := json.Marshal(v1.ChangeWalletRequest{MaxFeeRate: v1.Clear[v1.FeeRate]()})
	unchanged, _ := json.Marshal(v1.ChangeWalletRequest{Name: new("Savings")})
	fmt.Println(string(limited))
	fmt.Println(string(unlimited))
	fmt.Println(string(unchanged))
	// Output:
	// {"max_fee_rate_sat_vb":12.5}
	// {"max_fee_rate_sat_vb":null}
	// {"name":"Savings"}
}

func ExampleAtHeight() {
	fromBlock, _ := json.Marshal(v1.StartRescanRequest{From: v1.AtHeight(840_000)})
	fmt.Println(string(fromBlock))
	// Output: {"from":840000}
}
