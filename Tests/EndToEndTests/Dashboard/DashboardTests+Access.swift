import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

/// Who may look, and with what: tokens, keyboard, screen reader, themes.
extension ProgramTests.DashboardTests {
  @Test("Without a token and with a wrong one there is the token's form and nothing else; the right one leads on")
  func tokens() async throws {
    let site = try site()
    let page = try await BrowserPage(site.browser)
    try await page.open(site.url + "#/new?x=1")
    // The form needs no data of its own; the first request of the page is refused.
    try await page.waitForHeading("Token")
    #expect(try await page.accessibilityFaults() == [])
    try await page.wait(for: "document.activeElement === \(BrowserPage.control("Token"))")
    try await page.type("gptqd_wrong")
    try await page.press(.enter)
    try await page.wait(for: "document.querySelector('.field .error')?.innerText.includes('is not one that the server knows')")
    #expect(try await page.evaluate("sessionStorage.getItem('gptqd.token')") == .null)
    #expect(try await page.evaluate("\(BrowserPage.control("Token")).getAttribute('aria-invalid')") == "true")
    try await page.fill("Token", site.token)
    try await page.press(.enter)
    try await page.waitForHeading("New job")
    #expect(try await page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}")
    #expect(try await page.evaluate("sessionStorage.getItem('gptqd.token')").stringValue == site.token)
    #expect(page.complaints() == [])
    try await page.close()
  }

  @Test("A job is submitted, read and deleted with the keyboard alone; the focus is where the page goes on")
  func keyboard() async throws {
    let site = try site()
    try RecoveryJobTests.writeLayers(coupling: 1.15, to: site.server.models)
    let page = try await site.page()
    try await page.press(.tab)
    #expect(try await page.focusedName() == "Skip to the content")
    try await page.press(.enter)
    #expect(try await page.evaluate("document.activeElement.id") == "content")
    try await page.tab(to: "New job")
    try await page.press(.enter)
    try await page.waitForHeading("New job")
    #expect(try await page.evaluate("document.activeElement.tagName") == "H1")
    try await page.press(.tab)
    try await page.press(.right)
    try await page.press(.right)
    #expect(try await page.focusedName() == "A file of layers")
    try await page.tab(to: "File of layers")
    try await page.type("captured")
    try await page.tab(to: "Group size")
    try await page.type("8")
    try await page.tab(to: "More options")
    try await page.press(.enter)
    try await page.tab(to: "Submit")
    try await page.press(.enter)
    try await page.waitForHeading("captured")
    #expect(try await page.evaluate("document.activeElement.tagName") == "H1")
    try await page.wait(for: "document.querySelector('.subtitle .badge')?.innerText === 'succeeded'")
    try await page.wait(for: "document.getElementById('polite').innerText.includes('succeeded')")

    // Both layers by the slider, whose value is read out.
    try await page.tab(to: "Layer")
    try await page.press(.right)
    let value = try await page.evaluate("document.activeElement.getAttribute('aria-valuetext')").stringValue
    #expect(
      value?.hasPrefix("bad: relative loss") == true && value?.contains("6 attempts: 5 failed (rank deficient)") == true, "\(value ?? "")")
    try await page.tab(to: "Show its attempts")
    try await page.press(.enter)
    try await page.wait(for: "document.activeElement.getAttribute('aria-expanded') === 'true' && document.querySelector('tr.detail table')")
    #expect(try await page.focusedName() == "bad")
    try await page.press(.space)
    #expect(try await page.evaluate("document.querySelector('tr.detail')") == .null)

    try await page.evaluate("document.querySelector('h1').focus()")
    try await page.tab(to: "Delete…")
    try await page.press(.enter)
    try await page.wait(for: "document.querySelector('dialog[open]')")
    try await page.press(.escape)
    try await page.wait(for: "!document.querySelector('dialog')")
    #expect(try await page.focusedName() == "Delete…")
    // Another page leaves no dialog behind.
    try await page.press(.enter)
    try await page.wait(for: "document.querySelector('dialog[open]')")
    try await page.evaluate("history.back()")
    try await page.waitForHeading("New job")
    #expect(try await page.evaluate("document.querySelector('dialog')") == .null)
    try await page.evaluate("history.forward()")
    try await page.waitForHeading("captured")
    try await page.tab(to: "Delete…")
    try await page.press(.enter)
    try await page.tab(to: "Delete the job")
    try await page.press(.enter)
    try await page.waitForHeading("Jobs")
    #expect(try await page.evaluate("document.activeElement.tagName") == "H1")
    #expect(page.complaints() == [])
    try await page.close()
  }

  @Test("Every page is legible, named and in order in both themes and in a narrow window", arguments: ["light", "dark"])
  func themes(_ theme: String) async throws {
    let site = try site()
    let failed = try await layersJob(site, coupling: 5)
    let page = try await site.page()
    try await page.prefer(colorScheme: theme)
    let places = ["jobs", "jobs?status=queued", "jobs/\(failed.id)", "new", "token", "nowhere"]
    for width in [1200, 360] {
      try await page.resize(width: width)
      for place in places {
        try await page.evaluate("location.hash = '#/\(place)'; document.querySelector('main').replaceChildren()")
        try await page.wait(for: "document.querySelector('h1')")
        if place.hasPrefix("jobs/") {
          try await page.wait(for: "document.querySelector('.chart .dot')")
          try await page.evaluate("document.querySelectorAll('tr[data-layer] button').forEach((button) => button.click())")
          try await page.wait(for: "document.querySelectorAll('tr.detail table').length === 2")
          try await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        }
        let faults = try await page.accessibilityFaults()
        #expect(faults == [], "\(place), \(theme), \(width) pixels")
      }
    }
    let isDark = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 80)"
    #expect(try await page.evaluate(isDark).boolValue == (theme == "dark"))
    // The switch wins over the system, and is remembered.
    let other = theme == "dark" ? "light" : "dark"
    try await page.evaluate(
      "(() => { const theme = document.getElementById('theme'); theme.value = '\(other)'; theme.dispatchEvent(new Event('change')) })()")
    #expect(try await page.evaluate(isDark).boolValue == (other == "dark"))
    try await page.open(site.url + "?again")
    try await page.waitForHeading("Jobs")
    #expect(try await page.evaluate(isDark).boolValue == (other == "dark"))
    #expect(try await page.evaluate("document.getElementById('theme').value").stringValue == other)
    #expect(page.complaints() == [])
    try await page.close()
  }
}
