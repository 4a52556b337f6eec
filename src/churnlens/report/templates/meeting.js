(function () {
  "use strict";
  var root = document.documentElement;
  var pages = Array.prototype.slice.call(document.querySelectorAll(".page"));
  var links = Array.prototype.slice.call(document.querySelectorAll(".contents a"));
  var byId = function (id) { return document.getElementById(id); };
  var current = 0;

  function mark(n) {
    current = Math.max(0, Math.min(pages.length - 1, n));
    byId("place").textContent = (current + 1) + " / " + pages.length;
    pages.forEach(function (page, i) { page.classList.toggle("current", i === current); });
    links.forEach(function (link, i) {
      if (i === current) { link.setAttribute("aria-current", "page"); } else { link.removeAttribute("aria-current"); }
    });
  }
  function go(n) {
    mark(n);
    if (!root.classList.contains("meeting")) { pages[current].scrollIntoView(); } else { window.scrollTo(0, 0); }
    pages[current].focus({ preventScroll: true });
    if (window.history.replaceState) {
      try { window.history.replaceState(null, "", "#" + pages[current].id); } catch (e) { return; }
    }
  }
  function press(button, on) { button.setAttribute("aria-pressed", on ? "true" : "false"); }
  function meeting(on) {
    root.classList.toggle("meeting", on);
    press(byId("meeting"), on);
    go(current);
  }
  function isDark() {
    var set = root.getAttribute("data-theme");
    return set ? set === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function fromHash() {
    var at = pages.findIndex(function (page) { return "#" + page.id === window.location.hash; });
    if (at >= 0) { mark(at); if (root.classList.contains("meeting")) { window.scrollTo(0, 0); } }
  }

  byId("back").addEventListener("click", function () { go(current - 1); });
  byId("on").addEventListener("click", function () { go(current + 1); });
  byId("meeting").addEventListener("click", function () { meeting(!root.classList.contains("meeting")); });
  byId("theme").addEventListener("click", function () {
    var dark = !isDark();
    root.setAttribute("data-theme", dark ? "dark" : "light");
    press(byId("theme"), dark);
  });
  document.addEventListener("keydown", function (event) {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) { return; }
    var inTable = event.target.classList && event.target.classList.contains("scroll");
    if (event.key === "ArrowRight" && !inTable) { event.preventDefault(); go(current + 1); }
    else if (event.key === "ArrowLeft" && !inTable) { event.preventDefault(); go(current - 1); }
    else if (event.key === "PageDown" && root.classList.contains("meeting")) { event.preventDefault(); go(current + 1); }
    else if (event.key === "PageUp" && root.classList.contains("meeting")) { event.preventDefault(); go(current - 1); }
    else if (event.key === "Escape" && root.classList.contains("meeting")) { meeting(false); }
  });
  window.addEventListener("hashchange", fromHash);
  if ("IntersectionObserver" in window) {
    var seen = new window.IntersectionObserver(function (entries) {
      if (root.classList.contains("meeting")) { return; }
      entries.forEach(function (entry) { if (entry.isIntersecting) { mark(pages.indexOf(entry.target)); } });
    }, { rootMargin: "-30% 0px -65% 0px" });
    pages.forEach(function (page) { seen.observe(page); });
  }
  document.querySelector(".controls").hidden = false;
  press(byId("theme"), isDark());
  mark(0);
  fromHash();
}());
