// Before the first paint: the theme that was chosen, if one was. Without a choice the system's counts.
(() => {
  try {
    const theme = localStorage.getItem("switchback.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* storage is blocked: the system's theme it is */
  }
})();
