print("pixpro")
