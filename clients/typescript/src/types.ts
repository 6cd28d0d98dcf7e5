import type { OPERATIONS } from "./operations.js";
import type { components, operations } from "./schema.js";

export type Schemas = components["schemas"];
/** The operationId of an operation of docs/openapi.json. */
export type Operation = keyof typeof OPERATIONS;

type At<T, K extends PropertyKey> = T extends { [k in K]?: infer V } ? ([V] extends [undefined] ? unknown : Exclude<V, undefined>) : unknown;
type Of<K extends Operation, Place extends string> = At<operations[K]["parameters"], Place>;
type Content<C> = C[keyof C] | Blob | Uint8Array | string;
type Body<K extends Operation> = operations[K] extends { requestBody: { content: infer C } }
  ? { body: Content<C> }
  : operations[K] extends { requestBody?: { content: infer C } } ? { body?: Content<C> } : unknown;

export interface Options {
  /** Your own key, to repeat the call after a restart of the program. Without it, the client makes one where the server accepts it. */
  idempotencyKey?: string;
  /** The ETag of the object that was read (see etagOf): the call fails if the object has changed since. */
  ifMatch?: string | undefined;
  /** A media type other than application/json, for request(). */
  accept?: string;
  signal?: AbortSignal;
}

/** The parameters of the path and the query, the body, and options. */
export type Arguments<K extends Operation> = Of<K, "path"> & Of<K, "query"> & Body<K> & Options;
type Responses<K extends Operation> = operations[K]["responses"];
type Json<R> = R extends { content: { "application/json": infer V } } ? V : undefined;
export type Result<K extends Operation> = { [S in keyof Responses<K>]: S extends 200 | 201 | 202 | 204 ? Json<Responses<K>[S]> : never }[keyof Responses<K>];

/** The operations that return a list in pages, and the type of its entries. */
export type List = { [K in Operation]: Result<K> extends { items: unknown[] } ? K : never }[Operation];
export type Item<K extends List> = Result<K> extends { items: (infer I)[] } ? I : never;

export type Rest<K extends Operation> = object extends Arguments<K> ? [args?: Arguments<K>] : [args: Arguments<K>];
export type Methods = { [K in Operation]: (...rest: Rest<K>) => Promise<Result<K>> };

/** A verified message of a webhook. A receiver ignores an id that it has stored before. */
export interface WebhookMessage {
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}
