// Links that lead out of the frame, what moves on a page, and the form that triggers a DAG through Airflow's public API.
"use strict";

// Airflow frames the page without leave to move the window itself, so a link out of it is followed by a link of the page around it.
function followOutside(link) {
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  window.parent.document.body.append(outside);
  outside.click();
  outside.remove();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[target=_top]");
  if (!link || window.parent === window || event.defaultPrevented || event.button !== 0) return;
  event.preventDefault();
  followOutside(link);
});

// Only what moves is put in place anew, so that nothing jumps that somebody reads, and the keyboard stays where it is.
function replace(part, fresh) {
  if (part.outerHTML === fresh.outerHTML) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const put = document.importNode(fresh, true);
  part.replaceWith(put);
  if (focused) [...put.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === focused)?.focus();
}

async function showAnew() {
  const answer = await fetch(location.href);
  if (!answer.ok) return main.dataset.refresh;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const same = fresh.getElementById(part.id);
    if (same) replace(part, same);
  }
  return fresh.querySelector("main")?.dataset.refresh;
}

// Until nothing moves any more; a page that nobody looks at, or a server that does not answer, is only waited for.
function refreshAfter(seconds) {
  if (!seconds) return;
  setTimeout(async () => {
    let next = seconds;
    try {
      if (!document.hidden) next = await showAnew();
    } catch {
      // The network is gone for a while: the page stays as it is.
    }
    refreshAfter(next);
  }, seconds * 1000);
}

const main = document.querySelector("main");
refreshAfter(main.dataset.refresh);

function typed(field, schema) {
  const input = field.querySelector("input");
  if (input.type === "checkbox") return input.checked;
  const text = input.value.trim();
  const types = [schema.type ?? []].flat();
  if (text === "" && types.includes("null")) return null;
  // Without a value the Param's default holds; an empty number would be 0.
  if (text === "" && (types.includes("number") || types.includes("integer"))) return undefined;
  if (types.includes("array")) return text.split(",").map((part) => part.trim()).filter(Boolean);
  if (types.includes("number") || types.includes("integer")) return Number(text);
  return text;
}

function say(form, text, isBad) {
  const status = form.querySelector("[role=status]");
  status.hidden = false;
  status.className = isBad ? "notice bad" : "notice good";
  status.textContent = text;
  return status;
}

async function answered(form, path, options) {
  const answer = await fetch(`${form.dataset.airflow}/api/v2/dags/${encodeURIComponent(form.dataset.dag)}${path}`, options);
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const detail = typeof told.detail === "string" ? told.detail : JSON.stringify(told.detail ?? "");
  throw new Error(`Airflow answers ${answer.status}. ${detail}`);
}

// The Params' own descriptions stand beside the fields; a field that the DAG does not have goes.
async function describe(form) {
  const details = await answered(form, "/details");
  for (const field of form.querySelectorAll("[data-param]")) {
    const param = details.params?.[field.dataset.param];
    if (!param) {
      field.remove();
      continue;
    }
    field.querySelector("p").textContent = param.description ?? "";
    field.schema = param.schema ?? {};
  }
  if (details.is_paused) say(form, `${form.dataset.dag} is paused: its run waits until somebody unpauses it.`, true);
  form.querySelector("button").disabled = false;
}

async function trigger(form) {
  const fields = [...form.querySelectorAll("[data-param]")];
  const conf = Object.fromEntries(fields.map((field) => [field.dataset.param, typed(field, field.schema ?? {})]));
  const body = JSON.stringify({ logical_date: null, conf });
  const run = await answered(form, "/dagRuns", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const link = document.createElement("a");
  const name = encodeURIComponent(run.dag_run_id);
  link.href = `${form.dataset.airflow}/dags/${encodeURIComponent(form.dataset.dag)}/runs/${name}`;
  link.target = "_top";
  link.textContent = "See the run";
  say(form, "Triggered. ", false).append(link);
}

for (const form of document.querySelectorAll("form[data-dag]")) {
  form.querySelector("button").disabled = true;
  describe(form).catch((error) => say(form, error.message, true));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    // Enter and a second click come here too; one run is what was asked for.
    if (button.disabled) return;
    button.disabled = true;
    trigger(form).catch((error) => {
      button.disabled = false;
      say(form, error.message, true);
    });
  });
}
