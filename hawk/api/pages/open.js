// Exchanges the code behind `#`, which no server gets to see, for a cookie that no page gets to see.
"use strict";

const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname); // not for the browser's history

const viewer = (evalSetId) => {
  const query = new URLSearchParams({ inspect_server: "true", log_dir: evalSetId });
  return `/view/logs/?${query}`;
};

const open = async () => {
  const answer = await fetch("/view/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: given.get("code") ?? "" }),
  });
  if (answer.ok) {
    location.replace(viewer(given.get("set") ?? ""));
    return;
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Error([problem.detail, problem.hint].filter(Boolean).join(" ") || `The server answered ${answer.status}.`);
};

open().catch((error) => {
  document.getElementById("said").textContent = error.message;
});
