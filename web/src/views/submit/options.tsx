// How a workflow is to run: dialect, values, pool, limit, tags, files that go along.

import { fetchPools } from "../../api/endpoints";
import { Button } from "../../components/button";
import { useServer } from "../../components/server";
import { useResource } from "../../hooks/use-resource";
import { bytes } from "../../model/times";
import { type Draft, newPair, type Pair } from "./draft";

export function Options({
  draft,
  change,
  onFiles,
}: {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  onFiles: (files: FileList) => void;
}) {
  const server = useServer().value;
  const pools = useResource("pools", fetchPools).value?.pools ?? [];
  return (
    <>
      <label className="field">
        <span>Dialect</span>
        <select value={draft.dialect} onChange={(event) => change({ dialect: event.target.value })}>
          <option value="">found out from the text</option>
          {server?.dialects.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <div className="field-row">
        <label className="field">
          <span>Pool</span>
          <select value={draft.pool} onChange={(event) => change({ pool: event.target.value })}>
            <option value="">the document’s</option>
            {pools.map((pool) => (
              <option key={pool.name} disabled={pool.problem !== null}>
                {pool.name}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span>At once, at most</span>
          <input
            type="number"
            min="1"
            placeholder="no limit"
            value={draft.limit}
            onChange={(event) => change({ limit: event.target.value })}
          />
        </label>
      </div>
      <Rows
        title="Parameters"
        one="parameter"
        pairs={draft.parameters}
        onChange={(parameters) => change({ parameters })}
      />
      <Rows
        title="Facts"
        one="fact"
        note="What a LUTE workflow is told of its run: experiment, run_num …"
        pairs={draft.facts}
        onChange={(facts) => change({ facts })}
      />
      <Rows title="Tags" one="tag" pairs={draft.tags} onChange={(tags) => change({ tags })} />
      <fieldset className="rows">
        <legend>Files that go along</legend>
        {Object.entries(draft.files).map(([name, text]) => (
          <div key={name} className="file">
            <code>{name}</code>
            <span className="muted">{bytes(text.length)}</span>
            <Button
              label={`Remove ${name}`}
              mark="close"
              small
              onClick={() => {
                const { [name]: _, ...files } = draft.files;
                change({ files, config: name === draft.config ? "" : draft.config });
              }}
            />
          </div>
        ))}
        <label className="button file-button">
          Add files
          <input
            type="file"
            className="unseen"
            multiple
            onChange={(event) => {
              if (event.target.files) onFiles(event.target.files);
              event.target.value = "";
            }}
          />
        </label>
        {Object.keys(draft.files).length > 0 ? (
          <label className="field">
            <span>Which one configures a LUTE workflow</span>
            <select
              value={draft.config}
              onChange={(event) => change({ config: event.target.value })}
            >
              <option value="">none</option>
              {Object.keys(draft.files).map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        ) : null}
      </fieldset>
      <label className="tick">
        <input
          type="checkbox"
          checked={draft.paused}
          onChange={(event) => change({ paused: event.target.checked })}
        />
        Begin paused
      </label>
    </>
  );
}

function Rows({
  title,
  one,
  note,
  pairs,
  onChange,
}: {
  title: string;
  one: string;
  note?: string;
  pairs: Pair[];
  onChange: (pairs: Pair[]) => void;
}) {
  const put = (key: number, part: Partial<Pair>) =>
    onChange(pairs.map((pair) => (pair.key === key ? { ...pair, ...part } : pair)));
  return (
    <fieldset className="rows">
      <legend>{title}</legend>
      {note ? <p className="muted">{note}</p> : null}
      {pairs.map((pair) => (
        <div key={pair.key} className="pair">
          <input
            aria-label={`Name of the ${one}`}
            placeholder="name"
            value={pair.name}
            spellCheck={false}
            onChange={(event) => put(pair.key, { name: event.target.value })}
          />
          <span aria-hidden="true">=</span>
          <input
            aria-label={`Value of the ${one} ${pair.name}`}
            placeholder="value"
            value={pair.value}
            spellCheck={false}
            onChange={(event) => put(pair.key, { value: event.target.value })}
          />
          <Button
            label={`Remove the ${one} ${pair.name}`}
            mark="close"
            small
            onClick={() => onChange(pairs.filter((other) => other.key !== pair.key))}
          />
        </div>
      ))}
      <Button label={`Add a ${one}`} mark="plus" onClick={() => onChange([...pairs, newPair()])} />
    </fieldset>
  );
}
