import Foundation

/// What Linux tells of this process.
struct ProcessStatistics: Sendable {
  let cpuSeconds: Double
  let residentBytes: Int
  let virtualBytes: Int
  let openDescriptors: Int
  /// nil: as many as it likes.
  let descriptorLimit: Int?
  /// Since 1970.
  let startSeconds: Double

  /// Reads `/proc`; nil where it isn't as proc(5) says.
  init?() {
    guard let status = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let end = status.lastIndex(of: ")"), case let fields = status[end...].split(separator: " "), fields.count > 22,
      let boot = Self.bootSeconds, let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    else { return nil }
    // proc(5) counts from 1, the name, which may have spaces, being field 2.
    func field(_ number: Int) -> Double { Double(fields[number - 2]) ?? 0 }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    cpuSeconds = (field(14) + field(15)) / ticks
    startSeconds = boot + field(22) / ticks
    virtualBytes = Int(field(23))
    residentBytes = Int(field(24)) * sysconf(Int32(_SC_PAGESIZE))
    // Without the one that reads the folder.
    openDescriptors = max(0, descriptors.count - 1)
    var limit = rlimit()
    let isKnown = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    descriptorLimit = isKnown && limit.rlim_cur < .max ? Int(clamping: limit.rlim_cur) : nil
  }

  private static let bootSeconds: Double? = {
    let lines = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8))?.split(separator: "\n") ?? []
    return lines.first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
  }()

  func write(to exposition: inout Exposition) {
    exposition.add(.processCPU, cpuSeconds)
    exposition.add(.processMemory, Double(residentBytes))
    exposition.add(.processVirtualMemory, Double(virtualBytes))
    exposition.add(.processDescriptors, Double(openDescriptors))
    exposition.add(.processDescriptorLimit, descriptorLimit.map(Double.init) ?? .infinity)
    exposition.add(.processStart, startSeconds)
  }
}
