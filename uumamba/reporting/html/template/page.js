"use strict";
// The page is whole without this script: it only sorts and filters tables and enlarges pictures.
for (const frame of document.querySelectorAll(".table")) {
  if (frame.scrollWidth > frame.clientWidth) {
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", frame.querySelector("caption").textContent);
  }
}
for (const frame of document.querySelectorAll(".sortable")) {
  const body = frame.querySelector("tbody");
  const headings = [...frame.querySelectorAll("thead th")];
  const rows = [...body.rows];
  headings.forEach((heading, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    const numeric = heading.classList.contains("number");
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[place];
        if (!numeric) return cell.textContent || null;
        return "sort" in cell.dataset ? Number(cell.dataset.sort) : null;
      };
      const sign = ascending ? 1 : -1;
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
      };
      body.append(...rows.sort(order));
    });
  });
  const marked = rows.filter((row) => row.classList.contains("bad") || row.classList.contains("warn"));
  const controls = document.createElement("div");
  controls.className = "controls";
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Show rows with …";
  search.setAttribute("aria-label", "Show only rows that hold this text");
  const only = document.createElement("input");
  only.type = "checkbox";
  const label = document.createElement("label");
  label.append(only, ` only the ${marked.length} highlighted of ${rows.length} rows`);
  controls.append(search);
  if (marked.length && marked.length < rows.length) controls.append(label);
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(wanted) && (!only.checked || marked.includes(row));
      row.hidden = !fits;
    }
  };
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  if (rows.length > 12) frame.before(controls);
}
const pictures = document.querySelectorAll(".picture img");
if (pictures.length) {
  const dialog = document.createElement("dialog");
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  for (const picture of pictures) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "zoom";
    button.setAttribute("aria-label", `Enlarge: ${picture.alt}`);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      const large = new Image();
      large.src = picture.src;
      large.alt = picture.alt;
      dialog.setAttribute("aria-label", picture.alt);
      dialog.replaceChildren(large);
      dialog.showModal();
    });
  }
}
