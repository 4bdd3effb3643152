import Foundation
import Service
import Testing

/// A daemon that wants a token, with the demo's model and data, and a browser: for all tests of a suite together.
struct DashboardSite: Sendable {
  let server: EngineServer
  let token: String
  let browser: Chromium

  @TaskLocal static var current: DashboardSite?

  var url: String { server.client.base.absoluteString + "/" }

  /// A tab in which the token was given.
  func page(_ place: String = "", width: Int = 1200) async throws -> BrowserPage {
    let page = try await BrowserPage(browser, width: width)
    try await page.open(url)
    try await page.waitForHeading("Token")
    try await page.evaluate("sessionStorage.setItem('gptqd.token', '\(token)')")
    try await page.open(url + "?" + place)
    if place.isEmpty { try await page.waitForHeading("Jobs") }
    return page
  }
}

/// Starts the site before the suite's tests and ends it after them.
struct DashboardSiteTrait: SuiteTrait, TestScoping {
  func provideScope(for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void) async throws {
    guard let path = Chromium.path else { return try await body() }
    let browser = try Chromium(path)
    let token = try AccessToken.make(name: "test", scope: .write)
    let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Examples").standardizedFileURL
    let settings = ["GPTQD_AUTH_TOKENS": token.token.configurationLine, "GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"]
    try await EngineServer.run(settings, token: token.text) { server in
      for name in ["kjv-calibration.jsonl", "kjv-heldout.jsonl"] {
        try FileManager.default.copyItem(at: examples.appending(path: "datasets/\(name)"), to: server.datasets.appending(component: name))
      }
      try FileManager.default.copyItem(
        at: examples.appending(path: "models/tiny-qwen2-kjv"), to: server.models.appending(component: "tiny-qwen2-kjv"))
      try await DashboardSite.$current.withValue(DashboardSite(server: server, token: token.text, browser: browser)) { try await body() }
    }
    await browser.close()
  }
}
