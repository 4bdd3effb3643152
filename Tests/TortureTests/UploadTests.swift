import Crypto
import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Files that curl sends to the daemon's own executable.
  @Suite(.serialized) struct UploadTests {
    private static let path = "/v1/models/big/files/model.safetensors"

    /// A file whose bytes are the same nowhere near each other.
    private static func make(_ bytes: Int, in site: Site) throws -> URL {
      let file = site.folder.appending(component: "big")
      var chance = Chance(stream: 7)
      let block = Data((0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &chance) })
      try Data().write(to: file)
      let handle = try FileHandle(forWritingTo: file)
      for index in 0..<bytes >> 20 { try handle.write(contentsOf: Data("\(index)".utf8) + block.dropFirst("\(index)".utf8.count)) }
      try handle.close()
      return file
    }

    private static func digest(_ file: URL) throws -> SHA256.Digest {
      SHA256.hash(data: try Data(contentsOf: file, options: .alwaysMapped))
    }

    private static func curl(_ file: URL, to daemon: DaemonProcess, _ site: Site, _ more: [String] = []) async throws -> ChildProcess {
      let arguments = ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--upload-file", file.path] + more
      return try await ChildProcess(
        arguments + [daemon.client.base.absoluteString + path], output: site.folder.appending(component: "curl.log"))
    }

    private static func received(_ daemon: DaemonProcess) async throws -> Int {
      let answer = try await daemon.client.send("GET", path, allowing: [404])
      return answer.status == 404 ? 0 : try APICoding.decode(StoredFile.self, from: answer.body).upload?.received ?? 0
    }

    @Test("An upload during which the daemon is killed goes on where it was")
    func goesOnAfterAKill() async throws {
      try await Site.run { site in
        let data = site.newDataFolder()
        let file = try Self.make(24 << 20, in: site)
        let digest = try Self.digest(file)
        let field = "Repr-Digest: sha-256=:\(Data(digest).base64EncodedString()):"
        let seen = try await DaemonProcess.run(site, data: data) { daemon in
          let curl = try await Self.curl(file, to: daemon, site, ["--header", field, "--limit-rate", "12M"])
          var seen = 0
          while seen < 4 << 20, curl.exit == nil {
            seen = try await Self.received(daemon)
            try await Task.sleep(for: .milliseconds(10))
          }
          return seen
        }
        #expect(seen >= 4 << 20 && seen < 24 << 20)
        try await DaemonProcess.run(site, data: data) { daemon in
          let received = try await Self.received(daemon)
          #expect(received >= seen)
          let steps = Steps()
          let outcome = try await FileUpload(client: daemon.client, path: Self.path, file: file).run { steps.add($0) }
          #expect(outcome == .uploaded)
          #expect(steps.firstSent == received, "what had come was sent again")
          let stored = try await daemon.client.get(StoredFile.self, Self.path)
          #expect(stored.size == 24 << 20 && stored.upload == nil)
          #expect(Data(try Self.digest(data.appending(path: "uploads/models/big/model.safetensors"))) == Data(digest))
          #expect(try FileManager.default.contentsOfDirectory(atPath: data.appending(path: "uploads/unfinished").path).isEmpty)
        }
      }
    }

    @Test("A file of 256 MiB streams through in little memory")
    func takesLittleMemory() async throws {
      try await Site.run { site in
        let file = try Self.make(256 << 20, in: site)
        try await DaemonProcess.run(site, data: site.newDataFolder()) { daemon in
          // What the first upload needs at all.
          let small = site.folder.appending(component: "small")
          try Data(count: 4 << 20).write(to: small)
          #expect(try await Self.curl(small, to: daemon, site).ended() == .status(0))
          let before = try Self.peak(daemon.process.pid)
          #expect(try await Self.curl(file, to: daemon, site).ended() == .status(0))
          let grown = try Self.peak(daemon.process.pid) - before
          #expect(grown < 48 << 20, "it took \(grown >> 20) MiB")
          let stored = try await daemon.client.get(StoredFile.self, Self.path)
          #expect(stored.sha256 == (try Self.digest(file)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
        }
      }
    }

    /// Most bytes that a process had resident.
    private static func peak(_ pid: pid_t) throws -> Int {
      let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
      return try #require(line.split(separator: " ").compactMap { Int($0) }.first) << 10
    }
  }
}

/// What a client did.
private final class Steps: @unchecked Sendable {
  private let lock = NSLock()
  /// Guarded by `lock`.
  private var steps: [FileUpload.Step] = []

  func add(_ step: FileUpload.Step) { lock.withLock { steps.append(step) } }

  var firstSent: Int? {
    lock.withLock {
      steps.lazy.compactMap { step -> Int? in
        if case .sending(let bytes) = step { bytes } else { nil }
      }.first
    }
  }
}
