// Compiled, and never run: what a client in TypeScript relies on.
import type { components } from "./api";

type Schemas = components["schemas"];

// A request needs no more than what is required.
export const request: Schemas["CreateProposalRequest"] = { recipients: [{ address: "bc1q…", amount_sat: 1 }] };
export const token: Schemas["CreateTokenRequest"] = { description: "a token" };

// A response has all of its members, and those that can be null are.
export function feeRate(p: Schemas["ProposalSummary"]): number {
	const replaceable: boolean = p.replaceable;
	const branch: "receive" | "change" | null = p.outputs[0].branch;
	return replaceable && branch !== null ? p.fee_rate_sat_vb : 0;
}

// @ts-expect-error: a token without a description
export const wrong: Schemas["CreateTokenRequest"] = {};
