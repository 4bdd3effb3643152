import StrictJSON

extension BrowserPage {
  /// What is wrong with the page that is shown for people who use it without a mouse, without eyes or with weak ones.
  func accessibilityFaults() async throws -> [String] {
    let faults = try await evaluate(Self.audit).arrayValue ?? ["no answer"]
    return faults.compactMap(\.stringValue) + (try await unnamed())
  }

  /// Roles that say nothing without a name, in the tree that the browser gives to assistive technology.
  private func unnamed() async throws -> [String] {
    let roles: Set<String> = [
      "button", "link", "textbox", "combobox", "slider", "radio", "checkbox", "progressbar", "ProgressIndicator", "image", "dialog",
      "region",
      "navigation", "table", "heading", "columnheader", "rowheader", "DisclosureTriangle", "form",
    ]
    let nodes = try await send("Accessibility.getFullAXTree")["nodes"]?.arrayValue ?? []
    return nodes.compactMap { node in
      guard node["ignored"]?.boolValue != true, let role = node["role"]?["value"]?.stringValue, roles.contains(role) else { return nil }
      let name = node["name"]?["value"]?.stringValue ?? ""
      return name.trimmingPrefix { $0.isWhitespace }.isEmpty ? "a \(role) has no name: \(node.serialized().prefix(300))" : nil
    } + (nodes.count > 20 ? [] : ["the accessibility tree has only \(nodes.count) nodes"])
  }

  private static let audit = #"""
    (() => {
      const faults = [];
      const check = (isRight, text) => isRight || faults.push(text);
      const all = (selector) => [...document.querySelectorAll(selector)];
      const isVisible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
      const show = (element) => element.outerHTML.slice(0, 160);

      check(document.documentElement.lang === 'en', 'no language');
      check(document.title.endsWith('gptqd') && document.title.length > 6, `the title says nothing: ${document.title}`);
      check(all('main').length === 1 && all('header').length === 1 && all('nav').length > 0, 'landmarks are missing');
      const levels = all('h1, h2, h3, h4').filter(isVisible).map((heading) => Number(heading.tagName[1]));
      check(levels.filter((level) => level === 1).length === 1 && levels[0] === 1, `headings don’t begin with the only h1: ${levels}`);
      levels.forEach((level, index) => check(index === 0 || level <= levels[index - 1] + 1, `a level of heading is left out: ${levels}`));

      const ids = all('[id]').map((element) => element.id);
      check(new Set(ids).size === ids.length, `ids appear twice: ${ids.filter((id, index) => ids.indexOf(id) !== index)}`);
      for (const name of ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'list']) {
        for (const element of all(`[${name}]`).filter(isVisible)) {
          for (const id of element.getAttribute(name).split(' ')) check(document.getElementById(id), `${name} leads nowhere: ${show(element)}`);
        }
      }
      for (const element of all('[tabindex]')) check(element.tabIndex <= 0, `an order of its own: ${show(element)}`);
      for (const table of all('table').filter(isVisible)) {
        check(table.caption, `a table without caption: ${show(table)}`);
        for (const cell of table.querySelectorAll('th')) check(cell.scope, `a heading of a table without scope: ${show(cell)}`);
      }
      for (const element of all('img, svg')) {
        check(element.hasAttribute('aria-hidden') || element.hasAttribute('aria-label') || element.hasAttribute('alt'), `a picture without text: ${show(element)}`);
      }
      check(all('[aria-live=polite]').length === 1 && all('[aria-live=assertive]').length === 1, 'no live regions');
      check(document.documentElement.scrollWidth <= innerWidth, `the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
      // What scrolls must be reachable with the keyboard: the browser gives it the focus, unless something in it has it.
      for (const element of all('*').filter((element) => isVisible(element) && getComputedStyle(element).overflowX === 'auto' && element.scrollWidth > element.clientWidth + 1)) {
        check(element.tabIndex >= 0 || element.querySelector('a, button, [tabindex]'), `scrolls for the mouse only: ${show(element)}`);
      }

      // Contrast (WCAG 2.2, 1.4.3 and 1.4.11).
      const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
      const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const luminance = ([r, g, b]) => [r, g, b].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
      const background = (element) => {
        for (let each = element; each; each = each.parentElement) {
          const color = rgba(getComputedStyle(each).backgroundColor);
          if (color[3] === 255) return color;
        }
        return rgba('white');
      };
      const ratio = (one, other) => {
        const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
      };
      const seen = new Set();
      const contrast = (element, color, least, what) => {
        const [front, back] = [rgba(color), background(element)];
        const key = `${front}${back}${least}`;
        if (seen.has(key)) return;
        seen.add(key);
        check(ratio(front, back) >= least, `${what} has a contrast of ${ratio(front, back).toFixed(2)}: ${front} on ${back}: ${show(element)}`);
      };
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      let texts = 0;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !isVisible(element) || element.closest('.unseen, option, title, datalist, .on-mark')) continue;
        const style = getComputedStyle(element);
        contrast(element, element instanceof SVGElement ? style.fill : style.color, 4.5, 'a text');
        texts += 1;
      }
      check(texts > 5, 'there is no text');
      for (const mark of all('svg .attempt, svg .dot:not(.faded)').filter(isVisible)) contrast(mark.closest('div, li, td'), getComputedStyle(mark).fill, 3, 'a mark');
      const circles = new Map(all('svg .on-mark').map((letter) => [letter.previousElementSibling.getAttribute('class'), letter]));
      for (const letter of circles.values()) {
        const circle = letter.previousElementSibling;
        check(ratio(rgba(getComputedStyle(letter).fill), rgba(getComputedStyle(circle).fill)) >= 4.5, `a letter on its mark: ${show(circle)}`);
      }
      for (const control of all('input:not([type=radio], [type=range]), select, textarea, button').filter(isVisible)) {
        const style = getComputedStyle(control);
        if (style.borderTopWidth !== '0px' && !control.disabled) contrast(control.parentElement, style.borderTopColor, 3, 'an edge');
      }
      return faults;
    })()
    """#
}
