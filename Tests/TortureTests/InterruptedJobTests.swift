import Foundation
import JobModel
import Testing

extension DaemonTorture {
  /// kill -9 where jobs go on or end otherwise than by success.
  @Suite(.serialized, .enabled(if: Strace.isAllowed)) struct InterruptedJobTests {
    @Test("A job that is killed while its third block is written goes on with that block, and doesn't do the others again")
    func goesOn() async throws {
      try await Site.run { site in
        let (data, id) = try await site.queued()
        let block = data.appending(path: "work/\(id)/blocks/block-00002.safetensors.tmp")
        let wrapper = Strace.killing(at: "fsync", path: block.path, occurrence: 1)
        do {
          try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
            let job = try await daemon.ended(id)
            Issue.record("the daemon wasn't killed, the job is \(job.status.rawValue)")
          }
        } catch {}
        try await DaemonProcess.run(site, data: data) { daemon in
          #expect(try await daemon.ended(id).status == .succeeded)
          let attempts = try await daemon.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(id)/attempts").data
          let starts = Dictionary(grouping: attempts) { $0.layer.contains("layers.2.") }.mapValues { Set($0.map(\.jobAttempt)) }
          #expect(starts == [false: [1], true: [1, 2]])
        }
      }
    }

    @Test("A job that was cancelled while it published leaves nothing but blocks where the daemon was killed then")
    func cancelledWhilePublishing() async throws {
      try await Site.run { site in
        let (data, id) = try await site.queued()
        let artifacts = data.appending(component: "artifacts")
        let wrapper = Strace.injecting("delay_enter=60000000", into: "fsync", path: artifacts.path)
        try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
          let deadline = ContinuousClock.now + .seconds(30)
          while !FileManager.default.fileExists(atPath: artifacts.appending(component: id.text).path) {
            try #require(ContinuousClock.now < deadline, "the job doesn't publish")
            try await Task.sleep(for: .milliseconds(10))
          }
          _ = try await daemon.client.send("POST", "/v1/jobs/\(id)/cancel")
          #expect(try await daemon.job(id).status == .cancelling)
        }
        try await DaemonProcess.run(site, data: data) { daemon in
          let status = try await daemon.ended(id).status
          #expect(status == .cancelled)
          let names = try FileManager.default.contentsOfDirectory(atPath: artifacts.path)
          #expect(names.isEmpty, "the artifact of the cancelled job stays")
          let work = data.appending(path: "work/\(id)")
          for case let path as String in FileManager.default.enumerator(atPath: work.path) ?? .init() {
            #expect(path == "blocks" || path.hasPrefix("blocks/block-") && path.hasSuffix(".safetensors"), "work/ has \(path)")
          }
        }
      }
    }

    @Test("A job that was cancelled while it wrote leaves nothing but blocks where the daemon was killed then")
    func cancelledWhileWriting() async throws {
      try await Site.run { site in
        let (data, id) = try await site.queued()
        let staging = data.appending(path: "work/\(id)/artifact/config.json.tmp")
        let wrapper = Strace.injecting("delay_enter=60000000", into: "fsync", path: staging.path)
        try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
          let deadline = ContinuousClock.now + .seconds(30)
          while !FileManager.default.fileExists(atPath: staging.path) {
            try #require(ContinuousClock.now < deadline, "the job doesn't write")
            try await Task.sleep(for: .milliseconds(10))
          }
          _ = try await daemon.client.send("POST", "/v1/jobs/\(id)/cancel")
        }
        try await DaemonProcess.run(site, data: data) { daemon in
          let status = try await daemon.ended(id).status
          #expect(status == .cancelled)
          let work = data.appending(path: "work/\(id)")
          for case let path as String in FileManager.default.enumerator(atPath: work.path) ?? .init() {
            #expect(path == "blocks" || path.hasPrefix("blocks/block-") && path.hasSuffix(".safetensors"), "work/ has \(path)")
          }
        }
      }
    }
  }
}
