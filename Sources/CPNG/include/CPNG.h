void cpng_placeholder(void);
