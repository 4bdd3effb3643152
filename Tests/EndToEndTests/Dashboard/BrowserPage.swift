import Foundation
import StrictJSON
import Testing

/// A tab of its own, with nothing stored.
struct BrowserPage: Sendable {
  private let browser: Chromium
  private let session: String
  private let context: JSONValue

  init(_ browser: Chromium, width: Int = 1200) async throws {
    self.browser = browser
    context = try await browser.send("Target.createBrowserContext")["browserContextId"] ?? .null
    let target = try await browser.send("Target.createTarget", ["url": "about:blank", "browserContextId": context])["targetId"] ?? .null
    let attached = try await browser.send("Target.attachToTarget", ["targetId": target, "flatten": true])
    session = attached["sessionId"]?.stringValue ?? ""
    for domain in ["Page", "Runtime", "Log", "Accessibility"] { _ = try await send("\(domain).enable") }
    try await resize(width: width)
  }

  func close() async throws { _ = try await browser.send("Target.disposeBrowserContext", ["browserContextId": context]) }

  @discardableResult func send(_ method: String, _ parameters: JSONValue = [:]) async throws -> JSONValue {
    try await browser.send(method, parameters, session: session)
  }

  func resize(width: Int, height: Int = 900) async throws {
    try await send(
      "Emulation.setDeviceMetricsOverride",
      ["width": .integer(Int64(width)), "height": .integer(Int64(height)), "deviceScaleFactor": 1, "mobile": false])
  }

  func open(_ url: String) async throws { try await send("Page.navigate", ["url": .string(url)]) }

  /// As the system's setting does.
  func prefer(colorScheme: String) async throws {
    try await send("Emulation.setEmulatedMedia", ["features": [["name": "prefers-color-scheme", "value": .string(colorScheme)]]])
  }

  func saveDownloads(to folder: URL) async throws {
    _ = try await browser.send(
      "Browser.setDownloadBehavior", ["behavior": "allow", "browserContextId": context, "downloadPath": .string(folder.path)])
  }

  /// The value of an expression of JavaScript, a promise's when it is there.
  @discardableResult func evaluate(_ script: String) async throws -> JSONValue {
    let answer = try await send("Runtime.evaluate", ["expression": .string(script), "awaitPromise": true, "returnByValue": true])
    if let exception = answer["exceptionDetails"] { throw Chromium.Failure(description: "\(script): \(exception.serialized())") }
    return answer["result"]?["value"] ?? .null
  }

  func text(_ selector: String) async throws -> String {
    try await evaluate("document.querySelector(\(Self.quoted(selector)))?.innerText ?? ''").stringValue ?? ""
  }

  func texts(_ selector: String) async throws -> [String] {
    let list = try await evaluate("[...document.querySelectorAll(\(Self.quoted(selector)))].map((element) => element.innerText)")
    return (list.arrayValue ?? []).compactMap(\.stringValue)
  }

  /// Returns once an expression is true.
  func wait(for condition: String, seconds: Int = 90, _ location: SourceLocation = #_sourceLocation) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try await evaluate("!!(\(condition))").boolValue != true {
      guard ContinuousClock.now < end else {
        let shown = try await text("body")
        Issue.record("not within \(seconds) s: \(condition); the page shows: \(shown.prefix(1500))", sourceLocation: location)
        throw Chromium.Failure(description: "gave up waiting")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  func waitForHeading(_ text: String, _ location: SourceLocation = #_sourceLocation) async throws {
    try await wait(for: "document.querySelector('h1')?.innerText === \(Self.quoted(text))", location)
  }

  /// What the browser complained of: exceptions, and errors that aren't answers of the API.
  func complaints() -> [String] {
    browser.takeEvents(["Runtime.exceptionThrown", "Log.entryAdded"]).filter { event in
      event["sessionId"]?.stringValue == session && event["params"]?["entry"]?["source"]?.stringValue != "network"
    }.map { $0.serialized() }
  }

  static func quoted(_ text: String) -> String { JSONValue.string(text).serialized() }
}

extension BrowserPage {
  /// An expression for the control that a visible label stands for.
  static func control(_ label: String) -> String {
    "[...document.querySelectorAll('label')].find((label) => label.innerText.trim() === \(quoted(label)) || label.textContent === \(quoted(label))).control"
  }

  func fill(_ label: String, _ value: String) async throws {
    try await evaluate("\(Self.control(label)).value = \(Self.quoted(value))")
  }
}
