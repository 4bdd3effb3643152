import Ranks
import Testing

@Suite struct RankGroupTests {
  private struct Failure: Error {}

  @Test("Every rank gets each other's part, of whatever size", arguments: [1, 2, 3, 8])
  func exchanges(count: Int) throws {
    let results = ThreadRanks.run(count) { group in
      // Rank s sends r+2s bytes to rank r.
      let parts = (0..<count).map { [UInt8](repeating: UInt8(group.rank), count: $0 + 2 * group.rank) }
      var sums: [[Int]] = []
      for _ in 0..<20 {
        let all = try group.allGather(Array(parts.joined()))
        sums.append(all.map(\.count))
        #expect(all.enumerated().allSatisfy { rank, bytes in bytes.allSatisfy { $0 == rank } })
      }
      return sums
    }
    let expected = (0..<count).map { rank in (0..<count).reduce(0) { $0 + $1 + 2 * rank } }
    for result in results { #expect(try result.get().allSatisfy { $0 == expected }) }
  }

  @Test("What rank 0 says holds for all, also where it says that there is nothing")
  func agrees() throws {
    let results = ThreadRanks.run(3) { group in
      let nothing: Int? = try group.agreed { nil }
      return try (group.agreed { group.rank + 7 }, nothing)
    }
    for result in results { #expect(try result.get() == (7, nil)) }
  }

  @Test("A rank that fails releases those that wait and those that come later", arguments: 0..<3)
  func releases(failing: Int) throws {
    let results = ThreadRanks.run(3) { group in
      try group.meet()
      if group.rank == failing { throw Failure() }
      try group.meet()
    }
    for (rank, result) in results.enumerated() {
      if rank == failing {
        #expect(throws: Failure.self) { try result.get() }
      } else {
        #expect(throws: RankError.abandoned(rank: failing, reason: "Failure()")) { try result.get() }
      }
    }
  }

  @Test("Without the library that passes messages, its maker is told")
  func needsTheLibrary() {
    let error = #expect(throws: RankError.self) { _ = try MessagePassing(library: "libgptqdmpi-not-there.so") }
    #expect(error?.description.contains("make mpi") == true)
  }
}
