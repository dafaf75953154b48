import { expect, test } from "vitest";
import { html, Markup } from "./html.ts";

test("what is filled in is text, unless it is markup", () => {
  const hostile = `<&>"'`;
  const list = [html`<li>${1}</li>`, html`<li>${undefined}</li>`];
  expect(html`<p>${hostile}</p>${list}${new Markup("<br>")}`.text).toBe(
    "<p>&lt;&amp;&gt;&quot;&#39;</p><li>1</li><li></li><br>",
  );
});
