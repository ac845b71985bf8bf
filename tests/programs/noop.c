// The smallest program there is, for the generator to start.
int main(void) {
  return 0;
}
