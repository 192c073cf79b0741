/**
 * Wanted places of a JSON document, merged into a tree that the scanner walks along with the document. Each place has a
 * slot, in the order it was asked for.
 */
export type JsonPath = readonly (string | number)[];

export interface PathNode {
  /** Slots that take the value at this place. */
  readonly slots: readonly number[];
  /** Slots of this place and of all below it: forgotten when a duplicate key replaces the value. */
  readonly slotsBelow: readonly number[];
  /** Wanted members of an object; undefined where none is. */
  readonly members: readonly PathMember[] | undefined;
  /** Wanted elements of an array by index; undefined where none is. */
  readonly elements: ReadonlyMap<number, PathNode> | undefined;
}

export interface PathMember {
  readonly name: string;
  readonly nameBytes: Buffer;
  /** Can stand in a document without escapes. */
  readonly isPlain: boolean;
  readonly node: PathNode;
}

interface Draft {
  readonly slots: number[];
  readonly members: Map<string, Draft>;
  readonly elements: Map<number, Draft>;
}

/** `paths[i]` gets slot `i`. */
export function pathTree(paths: readonly JsonPath[]): PathNode {
  const root = newDraft();
  for (const [slot, path] of paths.entries()) {
    let place = root;
    for (const step of path) {
      const below: Map<string | number, Draft> = typeof step === 'string' ? place.members : place.elements;
      const next = below.get(step) ?? newDraft();
      below.set(step, next);
      place = next;
    }
    place.slots.push(slot);
  }
  return finish(root);
}

function newDraft(): Draft {
  return { slots: [], members: new Map(), elements: new Map() };
}

function finish(draft: Draft): PathNode {
  const members = [...draft.members].map(([name, below]) => ({
    name,
    nameBytes: Buffer.from(name),
    // Half a surrogate pair would not survive as UTF-8, and never comes out of it.
    isPlain: JSON.stringify(name).length === name.length + 2,
    node: finish(below),
  }));
  const elements = new Map([...draft.elements].map(([index, below]) => [index, finish(below)]));
  const below = [...members.map((member) => member.node), ...elements.values()];
  return {
    slots: draft.slots,
    slotsBelow: [...draft.slots, ...below.flatMap((node) => node.slotsBelow)],
    members: members.length > 0 ? members : undefined,
    elements: elements.size > 0 ? elements : undefined,
  };
}
