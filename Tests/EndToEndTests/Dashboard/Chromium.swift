import Foundation
import StrictJSON
import Synchronization

/// A headless Chromium, spoken to over its DevTools protocol: JSON documents with a NUL after each, on its file descriptors 3 and 4.
final class Chromium: Sendable {
  /// Where Debian, or whoever sets `GPTQD_CHROMIUM`, has it; nil: nowhere.
  static let path: String? = {
    let wanted = ProcessInfo.processInfo.environment["GPTQD_CHROMIUM"]
    let found = [wanted, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].compactMap { $0 }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    if found == nil {
      let line =
        "SKIPPED: the dashboard is not tested in a browser, since there is no Chromium; make test-deps installs it (Debian: chromium)\n"
      try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }
    return found
  }()

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private struct State {
    var lastID = 0
    var waiting: [Int: CheckedContinuation<JSONValue, any Error>] = [:]
    var events: [JSONValue] = []
    var hasEnded = false
  }

  private let profile: URL
  private let process = Process()
  private let commands = Pipe()
  private let answers = Pipe()
  private let state = Mutex(State())

  init(_ path: String) throws {
    // A browser that ended must not end the tests.
    signal(SIGPIPE, SIG_IGN)
    profile = FileManager.default.temporaryDirectory.appending(component: "gptqd-chromium-\(UUID().uuidString)")
    let options = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=\(profile.path)",
      "--remote-debugging-pipe", "about:blank",
    ]
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh", path] + options
    process.standardInput = commands
    process.standardOutput = answers
    process.standardError = FileHandle.nullDevice
    try process.run()
    try? answers.fileHandleForWriting.close()
    Thread.detachNewThread { self.read() }
  }

  func close() async {
    _ = try? await send("Browser.close")
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: profile)
  }

  /// The result of a command.
  ///
  /// - Parameter session: Of the page that it is for; nil: the browser.
  func send(_ method: String, _ parameters: JSONValue = [:], session: String? = nil) async throws -> JSONValue {
    let answer = try await withCheckedThrowingContinuation { continuation in
      let id: Int? = state.withLock { state in
        guard !state.hasEnded else { return nil }
        state.lastID += 1
        state.waiting[state.lastID] = continuation
        return state.lastID
      }
      guard let id else { return continuation.resume(throwing: Failure(description: "Chromium has ended")) }
      var message: JSONObject = ["id": .integer(Int64(id)), "method": .string(method), "params": parameters]
      if let session { message["sessionId"] = .string(session) }
      do {
        try commands.fileHandleForWriting.write(contentsOf: Data(JSONValue.object(message).serialized().utf8) + [0])
      } catch {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: error)
      }
    }
    if let error = answer["error"] { throw Failure(description: "\(method): \(error.serialized())") }
    return answer["result"] ?? [:]
  }

  /// Events of a kind since the last call, and forgets all.
  func takeEvents(_ methods: Set<String>) -> [JSONValue] {
    let events = state.withLock { state in
      defer { state.events = [] }
      return state.events
    }
    return events.filter { methods.contains($0["method"]?.stringValue ?? "") }
  }

  private func read() {
    var rest = Data()
    while case let data = answers.fileHandleForReading.availableData, !data.isEmpty {
      rest.append(data)
      while let end = rest.firstIndex(of: 0) {
        if let message = try? JSONValue(parsing: Array(rest[rest.startIndex..<end])) { take(message) }
        rest = Data(rest[rest.index(after: end)...])
      }
    }
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for continuation in waiting { continuation.resume(throwing: Failure(description: "Chromium has ended")) }
  }

  private func take(_ message: JSONValue) {
    let continuation = state.withLock { state -> CheckedContinuation<JSONValue, any Error>? in
      guard let id = message["id"]?.intValue else {
        state.events.append(message)
        return nil
      }
      return state.waiting.removeValue(forKey: id)
    }
    continuation?.resume(returning: message)
  }
}
