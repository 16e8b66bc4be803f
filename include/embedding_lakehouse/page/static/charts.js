// Draw each chart of the page with uPlot, in the colours of the style sheet, as wide as its place.
"use strict";

const HEIGHT = 170;
const DAY = 86400;

function colour(name) {
  const probe = document.createElement("span");
  probe.className = `colour-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function draw(place) {
  const { label, times, values, limit, exceeded } = JSON.parse(place.dataset.chart);
  const ink = colour("ink"), quiet = colour("quiet"), line = colour("line"), bad = colour("bad"), grid = colour("grid");
  const axis = { stroke: quiet, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const series = [
    {},
    { label, stroke: line, width: 2, points: { show: true, size: 5, fill: line, stroke: line } },
    { label: "beyond", stroke: bad, width: 0, points: { show: true, size: 8, fill: bad, stroke: bad } },
  ];
  const columns = [times, values, values.map((value, index) => (exceeded[index] ? value : null))];
  if (limit !== null) {
    series.push({ label: "limit", stroke: bad, width: 1, dash: [5, 5], points: { show: false } });
    columns.push(times.map(() => limit));
  }
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
    scales: { x: { range: (_, first, last) => (times.length === 1 ? around(times[0]) : [first, last]) }, y: { range: (_, low, high) => range(low, high, limit) } },
    axes: [{ ...axis, space: 80, values: (_, moments) => moments.map((time) => written(time, moments)) }, { ...axis, size: 52 }],
    series,
  };
  place.replaceChildren();
  place.drawn = new uPlot(options, columns, place);
  place.style.color = ink;
}

// A single measurement stands in the middle of its day.
function around(time) {
  return [time - DAY / 2, time + DAY / 2];
}

function written(time, moments) {
  const text = new Date(time * 1000).toISOString();
  return moments.length > 1 && moments[1] - moments[0] < DAY ? text.slice(5, 16).replace("T", " ") : text.slice(0, 10);
}

function range(low, high, limit) {
  const bottom = Math.min(low ?? 0, limit ?? low ?? 0), top = Math.max(high ?? 1, limit ?? high ?? 1);
  const room = (top - bottom || Math.abs(top) || 1) * 0.12;
  return [bottom >= 0 && bottom - room < 0 ? 0 : bottom - room, top + room];
}

function drawAll() {
  document.querySelectorAll("[data-chart]").forEach(draw);
}

drawAll();
window.addEventListener("resize", () =>
  document.querySelectorAll("[data-chart]").forEach((place) => place.drawn.setSize({ width: place.clientWidth, height: HEIGHT })),
);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
