import Testing
import gptqd_bench

@Suite struct SpreadTests {
  @Test("The median is the middle run, or the mean of the two")
  func median() {
    for (seconds, median) in [([3], 3), ([5, 1, 3], 3), ([4, 1, 3, 2], 2.5)] as [([Double], Double)] {
      let spread = Spread(seconds)
      #expect(spread.median == median)
      #expect(spread.least == seconds.min() && spread.most == seconds.max() && spread.runs == seconds.count)
    }
  }

  @Test("A first run that is short doesn't count, and every run is prepared")
  func warmUp() {
    var (prepared, ran) = (0, 0)
    let spread = Spread(runs: 4, preparing: { prepared += 1 }, { ran += 1 })
    #expect(spread.runs == 4 && ran == 5 && prepared == 5)
  }
}
