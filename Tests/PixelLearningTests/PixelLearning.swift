import Testing
@Test func placeholderPixelLearning() {}
