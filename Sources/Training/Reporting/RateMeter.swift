/// Images per second, averaged over about the last 20 steps.
struct RateMeter {
    private var images = 0.0
    private var seconds = 0.0

    mutating func add(images: Int, seconds: Double) {
        let decay = self.seconds == 0 ? 0 : 0.95
        self.images = decay * self.images + Double(images)
        self.seconds = decay * self.seconds + seconds
    }

    var imagesPerSecond: Double { seconds > 0 ? images / seconds : 0 }
}
