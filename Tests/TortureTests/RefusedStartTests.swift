import Foundation
import Testing

extension DaemonTorture {
  /// Data folders on which the daemon must not start.
  @Suite(.serialized) struct RefusedStartTests {
    /// Starts a daemon that should refuse.
    ///
    /// - Returns: What is wrong with the refusal.
    private static func refusal(_ site: Site, data: URL, wrapper: [String] = [], saying words: [String]) async throws -> [String] {
      let log = site.folder.appending(component: "log-\(UUID().uuidString.prefix(8))")
      let process = try await DaemonProcess.start(site, data: data, wrapper: wrapper, log: log)
      let exit = await process.ended(within: .seconds(5))
      let said = DaemonProcess.text(of: log)
      guard let exit else { return ["it runs on; it said: \(said)"] }
      guard case .status(let status) = exit, status != 0 else { return ["it ended with \(exit) and said: \(said)"] }
      let isClear = words.contains { said.contains($0) } && said.split(separator: "\n").count <= 4 && !said.contains("Fatal error")
      return isClear ? [] : ["the message is unclear: \(said)"]
    }

    @Test("A data folder that can't be written is refused with its name", .enabled(if: PrivateMount.isAllowed))
    func readOnly() async throws {
      try await Site.run { site in
        let used = try site.migrated()
        let empty = site.newDataFolder()
        try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
        for data in [used, empty] {
          let before = try digests(of: data)
          let findings = try await Self.refusal(
            site, data: data, wrapper: PrivateMount.readOnly(data), saying: ["ead-only file system", "can't be used", "permission"])
          #expect(findings.isEmpty)
          #expect(try digests(of: data) == before)
        }
      }
    }

    /// A database that is damaged, by what was done to it.
    private static func damaged(_ whole: Data) -> [(name: String, bytes: Data)] {
      var chance = Chance(stream: 2)
      let lengths =
        Torture.isLong
        ? Array(stride(from: 1, to: whole.count, by: 997))
        : [1, 16, 99, 100, 512, 4096, 5000, whole.count / 2, whole.count - 4096, whole.count - 1000]
      var damaged = lengths.map { ("truncated to \($0) bytes", whole.prefix($0)) }
      for _ in 0..<(Torture.isLong ? 50 : 2) {
        damaged.append(("garbage", Data((0..<whole.count).map { _ in UInt8.random(in: 0...255, using: &chance) })))
      }
      damaged.append(("text", Data("this is no database\n".utf8)))
      var header = whole
      header[0] ^= 1
      damaged.append(("a flipped bit in the first byte", header))
      var pages = whole
      for index in 4096..<whole.count { pages[index] = 0xAA }
      damaged.append(("all pages but the first overwritten", pages))
      return damaged
    }

    @Test("A damaged database is refused with its name and what to do, and isn't touched")
    func damagedDatabases() async throws {
      try await Site.run { site in
        let whole = try Data(contentsOf: try await site.queued().data.appending(component: "gptqd.sqlite"))
        let cases = Self.damaged(whole).map { Case(name: $0.name, bytes: $0.bytes) }
        try await concurrently(cases) { damaged in
          let data = site.newDataFolder()
          try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
          let file = data.appending(component: "gptqd.sqlite")
          try damaged.bytes.write(to: file)
          let findings = try await Self.refusal(site, data: data, saying: ["gptqd.sqlite is damaged", "gptqd.sqlite can't be opened"])
          #expect(findings.isEmpty, "\(damaged.name); \(Torture.seedNote)")
          #expect(try Data(contentsOf: file) == damaged.bytes, "\(damaged.name): the file was changed")
          try FileManager.default.removeItem(at: data)
        }
      }
    }

    private struct Case: Sendable {
      let name: String
      let bytes: Data
    }
  }
}
