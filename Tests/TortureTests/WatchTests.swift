import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

extension DaemonTorture {
  /// The client's own executable, over the death of its daemon.
  @Suite(.serialized) struct WatchTests {
    private static let executable = URL(filePath: DaemonProcess.executable).deletingLastPathComponent().appending(component: "gptqctl").path

    private static let request = """
      {"model": "tiny", "quantization": {"bits": 4, "group_size": 32, "mse": true},
       "calibration": {"dataset": "ids", "samples": 30, "sequence_length": 64}}
      """

    @Test("gptqctl watch goes on over kill -9 of the daemon, and shows each event once")
    func restart() async throws {
      try await Site.run { site in
        // The job may be over before the kill; then there was nothing to go on with.
        for _ in 0..<8 where try await Self.goesOn(site) { return }
        Issue.record("no job was still running when its daemon was killed")
      }
    }

    /// - Returns: Whether the daemon was killed while the job ran.
    private static func goesOn(_ site: Site) async throws -> Bool {
      let (data, output) = (site.newDataFolder(), site.folder.appending(component: "watch-\(UUID().uuidString.prefix(8))"))
      let (id, port, watch) = try await DaemonProcess.run(site, data: data) { daemon in
        let id = try await daemon.submit(request)
        let watch = try await ChildProcess(
          [executable, "watch", id.text, "--url", daemon.client.base.absoluteString], environment: site.environment, output: output)
        while !text(output).contains("relative loss"), watch.exit == nil { try await Task.sleep(for: .milliseconds(2)) }
        return (id, daemon.client.base.port ?? 0, watch)
      }
      guard watch.exit == nil else { return false }
      return try await DaemonProcess.run(site, data: data, settings: ["GPTQD_HTTP_LISTEN": "127.0.0.1:\(port)"]) { daemon in
        #expect(await watch.ended(within: .seconds(120)) == .status(0), "it said: \(text(output))")
        let events = try await daemon.client.get(APIList<JobEvent>.self, "/v1/jobs/\(id)/events?limit=1000").data
        guard events.contains(where: { $0.kind == .interruption }) else { return false }
        let lines = text(output).split(separator: "\n")
        let layers = events.filter { $0.kind == .layer }.compactMap { $0.data["name"]?.stringValue }
        #expect(lines.filter { $0.contains("relative loss") }.compactMap { $0.split(separator: " ").first.map(String.init) } == layers)
        #expect(lines.contains { $0.hasPrefix("the daemon had ended") })
        #expect(lines.contains { $0.contains("the connection broke") || $0.contains("waiting for it") })
        #expect(lines.contains("connected again"))
        return true
      }
    }

    private static func text(_ file: URL) -> String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }
  }
}
