import Foundation

/// A guide's commands, in order, in one shell: in a folder and a home of its own, with this repository's `Examples` and `config`.
struct GuideRun {
  private let guide: Guide
  private let folder: URL

  /// Whether the test has what a block needs.
  private let has: (Guide.Block) -> Bool

  struct Failure: Error, CustomStringConvertible { let description: String }

  init(_ guide: Guide, in folder: URL, has: @escaping (Guide.Block) -> Bool = { $0.needs.isEmpty }) throws {
    (self.guide, self.folder, self.has) = (guide, folder, has)
    let repository = Guide.folder.deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder.appending(component: "home"), withIntermediateDirectories: true)
    for name in ["Examples", "config"] {
      try FileManager.default.createSymbolicLink(
        at: folder.appending(component: name), withDestinationURL: repository.appending(component: name))
    }
  }

  /// - Returns: What each block wrote; nil for those that were left out.
  func outputs() async throws -> [String?] {
    let port = try Self.freePort()
    let file = folder.appending(component: ".guide.sh")
    try Data(script(port: port).utf8).write(to: file)
    let result = try await Program.run(
      ["bash", file.path],
      environment: [
        "HOME": folder.appending(component: "home").path, "PATH": Self.path, "GPTQD_HTTP_LISTEN": "127.0.0.1:\(port)",
        "GPTQD_URL": "http://127.0.0.1:\(port)", "XDG_DATA_HOME": "", "TZ": "UTC", "LC_ALL": "C.UTF-8",
      ], in: folder, limit: 400)
    let texts = guide.blocks.indices.map { try? String(contentsOf: output(of: $0), encoding: .utf8) }
    guard result.status == 0 else {
      let last = texts.lastIndex { $0 != nil } ?? 0
      throw Failure(
        description: "\(guide.name):\(guide.blocks[last].line): the commands ended with status \(result.status): "
          + "\(texts[last] ?? "")\(result.errors)")
    }
    return texts
  }

  private func output(of block: Int) -> URL { folder.appending(component: ".output-\(block)") }

  private func script(port: Int) -> String {
    // What a guide leaves running ends with it.
    let head = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"
    return guide.blocks.enumerated().reduce(head) { script, element in
      let (index, block) = element
      guard has(block) else { return script }
      let commands = block.commands.replacing("127.0.0.1:8790", with: "127.0.0.1:\(port)")
      return script + "exec >'\(output(of: index).path)' 2>&1\n\(commands)\n"
    }
  }

  /// The programs that were built beside the tests first.
  private static var path: String {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(filePath: tests).deletingLastPathComponent().path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
  }

  /// One that nobody listens on just now.
  private static func freePort() throws -> Int {
    let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0 }
    }
    guard isBound else { throw Failure(description: "no free port: \(String(cString: strerror(errno)))") }
    return Int(UInt16(bigEndian: address.sin_port))
  }
}
