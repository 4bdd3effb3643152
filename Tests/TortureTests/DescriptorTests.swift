import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  @Suite(.serialized) struct DescriptorTests {
    private static let limits = Torture.isLong ? Array(stride(from: 16, to: 120, by: 1)) : [24, 64, 80]

    @Test("With too few file descriptors the daemon says so and ends, or does its jobs, or fails them; it answers afterwards")
    func fewDescriptors() async throws {
      try await Site.run { site in
        let expected = try await site.undisturbed().files
        try await concurrently(Self.limits) { limit in
          let findings = try await Self.run(site, limit: limit, expected: expected)
          #expect(findings.isEmpty, "with \(limit) file descriptors")
        }
      }
    }

    private static func run(_ site: Site, limit: Int, expected: [String: String]) async throws -> [String] {
      let wrapper = ["sh", "-c", "ulimit -n \(limit) && exec \"$@\"", "sh"]
      do {
        return try await DaemonProcess.run(site, data: site.newDataFolder(), wrapper: wrapper) { daemon in
          do {
            return try await crowd(daemon, expected: expected)
          } catch {
            let end = daemon.process.exit.map { "ended with \($0)" } ?? "still runs"
            return ["a request got no answer: \(error); the daemon \(end) and said: \(daemon.said.suffix(600))"]
          }
        }
      } catch DaemonProcess.Failure.ended(let exit, let log) {
        guard case .status(let status) = exit, status != 0, !log.contains("Fatal error") else {
          return ["it ended with \(exit) and said: \(log.suffix(600))"]
        }
        return []
      } catch let failure as DaemonProcess.Failure {
        return ["\(failure)"]
      }
    }

    private static func unclear(_ job: Job) -> [String] {
      let text = [job.error?.detail, job.error?.advice].compactMap { $0 }.joined(separator: " ").lowercased()
      let isClear = ["descriptor", "too many open files", "limitnofile"].contains { text.contains($0) } && job.status == .failed
      return isClear ? [] : ["the failure \(job.error?.code ?? "") is unclear: \(text)"]
    }

    /// A job while clients hold connections that they don't use.
    private static func crowd(_ daemon: DaemonProcess, expected: [String: String]) async throws -> [String] {
      let id = try await daemon.submit()
      let port = UInt16(daemon.client.base.port ?? 0)
      var sockets: [Int32] = []
      for _ in 0..<40 { sockets.append(IdleSocket.open(port: port)) }
      // The job goes on without being asked about, for which there may be no descriptor.
      try await Task.sleep(for: .seconds(3))
      for socket in sockets { close(socket) }
      let job = try await daemon.ended(id, within: .seconds(30))
      var findings: [String] = []
      switch job.status {
      case .succeeded:
        if try digests(of: daemon.data.appending(path: "artifacts/\(id)")) != expected { findings.append("the job has other bytes") }
      case .failed:
        findings += unclear(job)
        _ = try await daemon.client.send("POST", "/v1/jobs/\(id)/retry")
        let again = try await daemon.ended(id, within: .seconds(30))
        // There may be too few for any job.
        if again.status != .succeeded { findings += unclear(again).map { "after a retry, " + $0 } }
      default: findings.append("the job is \(job.status.rawValue) for ever")
      }
      _ = try await daemon.client.send("GET", "/healthz")
      return findings
    }
  }
}

/// A connection on which nothing is said.
private enum IdleSocket {
  static func open(port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    return descriptor
  }
}
