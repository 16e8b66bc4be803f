// Airflow keeps the reader's choice of light or dark; without one the system's counts. Runs before anything is drawn.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed to us: the system's choice counts.
}
