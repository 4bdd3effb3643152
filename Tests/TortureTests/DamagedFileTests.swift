import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Files that something else damages while a job depends on them.
  @Suite(.serialized, .enabled(if: Strace.isAllowed)) struct DamagedFileTests {
    enum Damage: String, CaseIterable { case bitInTensor, bitInHeader, truncated, empty }

    @Test("A finished block that is damaged before the job goes on never gets into the artifact", arguments: Damage.allCases)
    func damagedBlock(damage: Damage) async throws {
      try await Site.run { site in
        let undisturbed = try await site.undisturbed()
        let (data, id) = try await site.queued(warnings: undisturbed.warnings)
        let blocks = data.appending(path: "work/\(id)/blocks")
        let wrapper = Strace.killing(at: "fsync", path: blocks.appending(component: "block-00002.safetensors.tmp").path, occurrence: 1)
        do {
          try await DaemonProcess.run(site, data: data, wrapper: wrapper) { _ = try await $0.ended(id) }
        } catch is ClientError {}
        try Self.damage(blocks.appending(component: "block-00001.safetensors"), damage)
        try await DaemonProcess.run(site, data: data) { daemon in
          let job = try await daemon.ended(id)
          let found = try digests(of: data.appending(path: "artifacts/\(id)"))
          #expect(
            found == nil || found == undisturbed.files, "the damaged block is in the artifact of the job, which \(job.status.rawValue)")
          #expect(job.status.isEnded)
        }
      }
    }

    private static func damage(_ file: URL, _ damage: Damage) throws {
      var bytes = try Data(contentsOf: file)
      let header = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      switch damage {
      case .bitInTensor: bytes[8 + header + 40] ^= 4
      // A digit of a statistic.
      case .bitInHeader:
        let digit = try #require(bytes[500..<(8 + header)].firstIndex { (0x31...0x38).contains($0) && $0 & 1 == 0 })
        bytes[digit] ^= 1
      case .truncated: bytes = bytes.prefix(bytes.count / 2)
      case .empty: bytes = Data()
      }
      try bytes.write(to: file)
    }

    @Test("A model that is cut short while a job reads it fails that job, and the daemon goes on", arguments: ["gptq", "rtn"])
    func truncatedModel(method: String) async throws {
      try await Site.run { site in
        let models = site.folder.appending(component: "models")
        try FileManager.default.copyItem(at: models.appending(component: "tiny"), to: models.appending(component: "cut"))
        let (data, id) = try await site.queued(
          Site.request.replacing("\"tiny\"", with: "\"cut\"").replacing("\"bits\"", with: "\"method\": \"\(method)\", \"bits\""))
        let block = data.appending(path: "work/\(id)/blocks/block-00000.safetensors.tmp").path
        // Holds the job where it has the model open and two blocks to read.
        let wrapper = Strace.injecting("delay_enter=700000", into: "fsync", path: block)
        try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
          let deadline = ContinuousClock.now + .seconds(30)
          while !FileManager.default.fileExists(atPath: block) {
            try #require(ContinuousClock.now < deadline, "the job doesn't write")
            try await Task.sleep(for: .milliseconds(5))
          }
          #expect(truncate(models.appending(path: "cut/model.safetensors").path, 8192) == 0)
          let job: Job
          do {
            job = try await daemon.ended(id)
          } catch {
            Issue.record("the daemon \(daemon.process.exit.map { "ended with \($0)" } ?? "doesn't answer"): \(error)")
            return
          }
          #expect(job.status == .failed && job.error?.code != "internal", "\(job.status.rawValue): \(job.error?.detail ?? "")")
          let other = try await daemon.ended(daemon.submit())
          #expect(other.status == .succeeded)
        }
      }
    }
  }
}
