import StrictJSON
import Testing

extension BrowserPage {
  enum Key: String {
    case tab = "Tab"
    case enter = "Enter"
    case escape = "Escape"
    case space = " "
    case right = "ArrowRight"
    case down = "ArrowDown"

    fileprivate var code: Int64 {
      switch self {
      case .tab: 9
      case .enter: 13
      case .escape: 27
      case .space: 32
      case .right: 39
      case .down: 40
      }
    }

    fileprivate var text: String? {
      switch self {
      case .enter: "\r"
      case .space: " "
      default: nil
      }
    }
  }

  func press(_ key: Key) async throws {
    var event: JSONObject = [
      "type": key.text == nil ? "rawKeyDown" : "keyDown", "key": .string(key.rawValue), "windowsVirtualKeyCode": .integer(key.code),
      "code": .string(key == .space ? "Space" : key.rawValue),
    ]
    if let text = key.text { event["text"] = .string(text) }
    try await send("Input.dispatchKeyEvent", .object(event))
    event["type"] = "keyUp"
    event["text"] = nil
    try await send("Input.dispatchKeyEvent", .object(event))
  }

  func type(_ text: String) async throws { try await send("Input.insertText", ["text": .string(text)]) }

  /// The accessible name of what has the focus, as the browser computes it for assistive technology.
  func focusedName() async throws -> String {
    let object = try await send("Runtime.evaluate", ["expression": "document.activeElement"])
    let tree = try await send("Accessibility.getPartialAXTree", ["objectId": object["result"]?["objectId"] ?? "", "fetchRelatives": false])
    return tree["nodes"]?.arrayValue?.first?["name"]?["value"]?.stringValue ?? ""
  }

  /// Goes forward with the Tab key to what has the name.
  func tab(to name: String, _ location: SourceLocation = #_sourceLocation) async throws {
    var passed: [String] = []
    for _ in 0..<120 {
      try await press(.tab)
      let focused = try await focusedName()
      if focused == name { return }
      passed.append(focused)
    }
    Issue.record("\(name) isn't reached by the Tab key, only: \(passed)", sourceLocation: location)
    throw Chromium.Failure(description: "not reached")
  }
}
