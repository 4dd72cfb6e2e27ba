// The search on every page, and the sieve of the overview. Without this script all else works.
"use strict";
{
  const ROOT = new URL("..", document.currentScript.src);
  const MOST = { phenomena: 8, papers: 12 };
  const UNSPACED = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/; // scripts that put no blanks between words

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = (text) => fold(text).match(/[\p{L}\p{N}][\p{L}\p{N}.]*/gu) ?? [];
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const counted = (number, one, many) => `${number} ${number === 1 ? one : many}`;

  class Index {
    constructor({ phenomena, papers }) {
      this.phenomena = phenomena.map(([code, title, claim, keywords, maturity, href]) => ({
        href, title: `${code} ${title}`, detail: `${maturity} · ${claim}`,
        first: ` ${words(`${code} ${title}`).join(" ")}`, all: ` ${words(`${code} ${title} ${keywords} ${claim}`).join(" ")}`,
      }));
      this.papers = papers.map(([id, title, authors, href, bearing]) => ({
        href, title, detail: `${bearing} · ${authors || "no authors named"}`,
        first: ` ${words(title).join(" ")}`, all: ` ${words(`${title} ${authors} ${id}`).join(" ")} ${id}`,
      }));
    }

    // Whole matches of what an entry is called come before matches of what it says; else the order stays.
    find(text) {
      const wanted = words(text).map((word) => word.replace(/\.+$/, ""));
      if (wanted.length === 0) return null;
      const within = (place) => wanted.every((word) => place.includes(` ${word}`) || (UNSPACED.test(word) && place.includes(word)));
      const pick = (list) => {
        const found = list.filter((one) => within(one.all));
        return [...found.filter((one) => within(one.first)), ...found.filter((one) => !within(one.first))];
      };
      return { phenomena: pick(this.phenomena), papers: pick(this.papers) };
    }
  }

  class Search {
    constructor(box) {
      this.input = box.querySelector("input");
      this.list = box.querySelector("[role=listbox]");
      this.status = box.querySelector("[role=status]");
      this.options = [];
      this.active = -1;
      this.index = null;
      box.hidden = false;
      this.input.addEventListener("focus", () => this.load());
      this.input.addEventListener("input", () => this.show());
      this.input.addEventListener("keydown", (event) => this.press(event));
      box.addEventListener("focusout", (event) => { if (!box.contains(event.relatedTarget)) this.close(); });
      this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
      document.addEventListener("keydown", (event) => {
        const typing = event.target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");
        if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.input.focus();
        this.input.select();
      });
    }

    load() {
      if (this.asked) return;
      this.asked = true;
      const script = make("script", { src: new URL("static/search-index.js", ROOT).href });
      script.addEventListener("load", () => { this.index = new Index(globalThis.BMP_INDEX); this.show(); });
      script.addEventListener("error", () => { this.status.textContent = "The search's index could not be read."; });
      document.head.append(script);
    }

    show() {
      const found = this.index?.find(this.input.value);
      if (!found) return this.close();
      this.options = [];
      const groups = [this.group("phenomena", "Phenomena", found.phenomena), this.group("papers", "Papers", found.papers)];
      this.list.replaceChildren(...groups.filter(Boolean));
      const total = `${counted(found.phenomena.length, "phenomenon", "phenomena")}, ${counted(found.papers.length, "paper", "papers")}`;
      if (this.options.length === 0) this.list.append(make("div", { class: "none", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing has all these words."));
      this.status.textContent = this.options.length ? `${total}; the arrows choose` : "Nothing found";
      this.list.hidden = false;
      this.input.setAttribute("aria-expanded", "true");
      this.choose(-1);
    }

    group(name, heading, found) {
      if (found.length === 0) return null;
      const more = found.length > MOST[name] ? ` (the first ${MOST[name]} of ${found.length})` : "";
      const label = make("div", { class: "heading", id: `found-${name}`, role: "presentation" }, heading + more);
      return make("div", { role: "group", "aria-labelledby": label.id }, label, ...found.slice(0, MOST[name]).map((one) => this.option(one)));
    }

    option({ href, title, detail }) {
      const option = make("div", { role: "option", id: `option-${this.options.length}`, "aria-selected": "false" },
        title, make("span", { class: "meta" }, detail));
      option.dataset.href = new URL(href, ROOT).href;
      option.addEventListener("click", (event) => this.open(option, event.ctrlKey || event.metaKey));
      this.options.push(option);
      return option;
    }

    open(option, elsewhere) {
      if (elsewhere) return void window.open(option.dataset.href, "_blank", "noopener");
      this.close();
      location.assign(option.dataset.href);
    }

    choose(place) {
      this.options[this.active]?.setAttribute("aria-selected", "false");
      this.active = place;
      const option = this.options[place];
      if (!option) return this.input.removeAttribute("aria-activedescendant");
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    }

    close() {
      this.list.hidden = true;
      this.options = [];
      this.input.setAttribute("aria-expanded", "false");
      this.status.textContent = "";
      this.choose(-1);
    }

    press(event) {
      const last = this.options.length - 1;
      const steps = {
        ArrowDown: () => (last < 0 ? this.show() : this.choose(this.active >= last ? 0 : this.active + 1)),
        ArrowUp: () => this.choose(this.active <= 0 ? last : this.active - 1),
        Enter: () => { if (last >= 0) this.open(this.options[Math.max(0, this.active)], event.ctrlKey || event.metaKey); },
        Escape: () => {
          if (!this.list.hidden) return this.close();
          if (this.input.value) this.input.value = "";
          else this.input.blur();
        },
      };
      if (!(event.key in steps) || event.isComposing) return;
      event.preventDefault();
      steps[event.key]();
    }
  }

  class Sieve {
    constructor(form) {
      this.form = form;
      this.rows = [...document.querySelectorAll(".half .rows > li")];
      this.homes = this.rows.map((row) => row.parentElement);
      this.ordered = document.getElementById("ordered");
      form.hidden = false;
      form.addEventListener("change", () => this.apply());
      form.addEventListener("submit", (event) => event.preventDefault());
      this.apply(); // a browser that goes back keeps what was chosen
    }

    apply() {
      const { maturity, order } = Object.fromEntries(new FormData(this.form));
      for (const row of this.rows) row.hidden = Boolean(maturity) && row.dataset.maturity !== maturity;
      this.rows.forEach((row, place) => this.homes[place].append(row));
      if (order) {
        const papers = (row) => Number(row.dataset.papers);
        const contested = (row) => Number(order === "contested" && row.dataset.maturity === "contested");
        const sorted = [...this.rows].sort((a, b) => contested(b) - contested(a) || papers(b) - papers(a));
        this.ordered.querySelector("ul").append(...sorted);
      }
      this.ordered.hidden = !order;
      for (const part of document.querySelectorAll(".half, .group")) part.hidden = Boolean(order) || !part.querySelector(".rows > li:not([hidden])");
      const shown = this.rows.filter((row) => !row.hidden).length;
      document.getElementById("sieved").textContent = `${counted(shown, "entry", "entries")} shown`;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    new Search(document.querySelector(".search"));
    const form = document.getElementById("sieve");
    if (form) new Sieve(form);
  });
}
