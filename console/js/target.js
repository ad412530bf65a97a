// Backups off the machine: what is there, there and back. The target is asked only when somebody wants to see it: it
// may be far away, and each look may cost.
import { actor, get, once, remove } from "./api.js";
import { confirm } from "./dialog.js";
import { fill, h } from "./dom.js";
import { bytes, number, time } from "./format.js";
import { BACKUP, shortId } from "./restore.js";
import { act, badge, button, load, table } from "./widgets.js";

const uploaded = (id) => once(`${BACKUP(id)}/upload`, { actor: actor() });
const downloaded = (id) => once(`${BACKUP(id)}/download`, { actor: actor() });

// For the details of one backup. `begin` runs what begins an operation and follows it.
export const uploadButton = (id, begin) =>
  button("Upload", () => begin(() => uploaded(id), "The upload has begun."), {
    key: "upload",
    name: `Upload ${id} to the place off the machine`,
    needs: "POST /v1/backups/{id}/upload",
  });

async function deleteThere(id, reload) {
  const answer = await confirm({
    title: `Delete ${id} off the machine`,
    phrase: `delete ${shortId(id)}`,
    action: "Delete there",
    body: [h("p", {}, "It cannot be brought back. One that is here stays here.")],
  });
  if (answer === null) return;
  if (await act("Deleted there.", () => remove(`${BACKUP(id)}?where=target`, { actor: actor() }))) reload();
}

function remoteTable(list, here, begin, reload) {
  const actions = (row) => [
    here.has(row.id)
      ? badge("here, too", "")
      : button("Download", () => begin(() => downloaded(row.id), "The download has begun."), {
          key: `download-${row.id}`,
          name: `Download ${row.id}`,
          disabled: row.state !== "ok",
          needs: "POST /v1/backups/{id}/download",
        }),
    button("Delete there…", () => deleteThere(row.id, reload), {
      key: `delete-${row.id}`,
      name: `Delete ${row.id} off the machine`,
      needs: "DELETE /v1/backups/{id}",
    }),
  ];
  return table(
    "Backups off the machine",
    [
      { name: "Backup", head: true, cell: (row) => row.id },
      { name: "Made", class: "nowrap", cell: (row) => (row.created_at ? time(row.created_at) : "–") },
      { name: "Size", number: true, cell: (row) => bytes(row.bytes) },
      { name: "Records", number: true, cell: (row) => number(row.records) },
      { name: "Note", cell: (row) => row.note },
      { name: "State", cell: (row) => (row.state === "ok" ? badge("ok") : [badge(row.state), ` ${row.damage ?? ""}`]) },
      { name: "", cell: (row) => h("span", { class: "row" }, actions(row)) },
    ],
    list.backups,
    { empty: "There is none yet: a backup's own page uploads it." },
  );
}

// The panel's content: {node, draw(list of those here), reload()}. What was shown once is kept up to date.
export function targetPart(begin) {
  const text = h("p", { class: "muted" });
  const place = h("div", { "aria-live": "polite" });
  let here = new Set();
  let isShown = false;
  const look = () =>
    load(place, async () => {
      isShown = true;
      if (place.childElementCount === 0) fill(place, h("p", { class: "muted" }, "Asking the target…"));
      const list = await get("/v1/backups?where=target", { timeout: 120_000 });
      fill(
        place,
        h("p", { class: "muted" }, "In ", h("code", {}, list.directory), ", the newest 200:"),
        remoteTable(list, here, begin, look),
      );
    });
  const show = button("Look what is there", look, { key: "target" });
  return {
    node: h("div", {}, text, h("div", { class: "row" }, show), place),
    draw(list) {
      here = new Set(list.backups.map(({ id }) => id));
      show.hidden = !list.has_target;
      text.textContent = list.has_target
        ? `A backup on the disk that it protects goes with it. ${list.is_uploading ? "New ones go there by themselves." : "Each goes there by the button on its page."}`
        : "There is no place off the machine: backup_target in the configuration names a directory on another disk, or a bucket that speaks S3.";
      if (isShown) look();
    },
  };
}
